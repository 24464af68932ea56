"""The policy of an environment whose actions are all choices, where nobody chose its head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from omegaconf import DictConfig, OmegaConf

from pgrobot.aliases import in_full
from pgrobot.configure import compose, validated
from pgrobot.overrides import parse
from pgrobot.run.request import Request, below, key_of, place
from pgrobot.types import Action

HEAD = "policy/head=categorical"


def suited(request: Request, actions: Sequence[Action]) -> Request:
    """The request whose policy draws such actions: with the head ``categorical`` where all of them are choices.

    It becomes one of the overrides, as if it had been typed, so that whoever looks at the run later finds it there.
    A head that was typed, or one that a recipe chose, stays, and is refused where it does not draw choices.
    """
    return choosing(request) if actions and all(action.choices for action in actions) else request


def choosing(request: Request) -> Request:
    """The request with the head ``categorical``, unless it is one to go on with or somebody chose another head."""
    if request.resume or _chose_head(request):
        return request
    cfg = request.cfg.copy()
    cfg.policy.head = compose([HEAD]).policy.head
    return replace(request, cfg=cfg, overrides=(*request.overrides, HEAD))


def _chose_head(request: Request) -> bool:
    """Whether the head is another one than that of a config in which nothing is chosen, or has been typed."""
    typed = [place(key_of(override)) for override in parse(in_full(request.overrides, request.cfg))]
    named = any(key == "policy" or below(key, "policy.head") for key in typed)
    return named or _head(request.cfg) != _head(validated(compose([])))


def _head(cfg: DictConfig) -> object:
    return OmegaConf.select(cfg, "policy.head")
