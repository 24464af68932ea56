"""Networks that terms of an objective have beside the policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from pgrobot.errors import PgrobotError
from pgrobot.objectives.auxiliary import Sizes
from pgrobot.policies import Policy
from pgrobot.policies.heads.head import numbers_of
from pgrobot.types import Action, EnvironmentSpec


def network_of(
    where: str, term: Any, policy: Policy, spec: EnvironmentSpec, generator: torch.Generator
) -> nn.Module:
    """The network of a term for a policy.

    Args:
        where: the term's key, for messages.
        term: it ``has_network``.
        policy: whose encoder it teaches.
        spec: of the environments.
        generator: random stream of the weights.

    Raises:
        PgrobotError: the policy has no encoder, or draws choices; or the network has buffers, or no parameters.
    """
    if not policy.encodes:
        previous = getattr(getattr(policy, "shown", None), "width", 0)
        raise PgrobotError(
            f"{where} teaches an encoder, and with policy.previous_action=true what is encoded holds an action as "
            "well: leave one of the two out"
            if previous
            else f"{where} teaches an encoder, and the policy has none: choose policy/body=encoder, or leave it out"
        )
    sizes = Sizes(policy.encodes, _inputs(policy, spec), _numbers(where, spec.actions))
    made: nn.Module = term.network(sizes, generator)
    if list(made.buffers()) or not list(made.parameters()):
        raise PgrobotError(f"{where}: {type(term).__name__}.network has to have parameters and no buffers")
    return made


def _inputs(policy: Policy, spec: EnvironmentSpec) -> int:
    """How many numbers the policy's network reads."""
    obs = {
        name: torch.zeros(1, *group.shape, dtype=torch.uint8 if group.image else torch.float32)
        for name, group in spec.observation.items()
    }
    with torch.no_grad():
        return policy.inputs(obs).shape[-1]


def _numbers(where: str, actions: Sequence[Action]) -> int:
    try:
        return numbers_of(actions)
    except PgrobotError as error:
        raise PgrobotError(
            f"{where} predicts with actions that are real numbers, and here {error}"
        ) from error
