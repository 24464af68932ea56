"""A low level that another run has learnt, taken over by a new hierarchical policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from omegaconf import DictConfig
from torch import Tensor

from pgrobot.errors import PgrobotError
from pgrobot.groups import selected
from pgrobot.named_run import checkpoint_of
from pgrobot.past import fitting, load_checkpoint, saved_config
from pgrobot.policies import HierarchicalPolicy
from pgrobot.ranges import text
from pgrobot.spec_file import read_spec
from pgrobot.targets import construct, locate
from pgrobot.transfer.differences import (
    different,
    different_actuators,
    different_entries,
    different_ranges,
    different_rate,
)
from pgrobot.transfer.entries import by_group, entries, names, places
from pgrobot.types import EnvironmentSpec


@dataclass(frozen=True)
class LowLevel:
    """Where the low level of a hierarchical policy comes from.

    It takes along its parameters, its normaliser and the origin of what it reads; both policies have to have the same
    network, goals of the same kind that last as long, read the same entries by name and drive the same actuators. The
    run is read when a new one begins, and never again.

    Attributes:
        run: the directory of a run with a hierarchical policy; empty: it begins anew.
        checkpoint: of that run.
        frozen: whether it stays what it is, so that the high level alone learns; its normaliser stays, too.

    Raises:
        PgrobotError: it comes from no run, and is frozen or of a checkpoint.
    """

    run: Annotated[str, text("a run directory")]
    checkpoint: Annotated[str, text("best, last, a step or a path")]
    frozen: bool

    def __post_init__(self) -> None:
        if self.run == "":
            useless = "policy.low.frozen=true" if self.frozen else f"policy.low.checkpoint={self.checkpoint}"
            if self.frozen or self.checkpoint != "best":
                raise PgrobotError(
                    f"{useless} is of a low level that another run has learnt: add policy.low.run=<run>"
                )

    def fill(self, policy: HierarchicalPolicy, spec: EnvironmentSpec) -> None:
        """Give the low level of a new policy what that of the run has learnt.

        Args:
            policy: whose parts are as the config has them.
            spec: of the environment that it is for.

        Raises:
            PgrobotError: there is no such run or checkpoint, it has no low level, or another one.
        """
        if self.run == "":
            return
        run = Path(self.run)
        path = checkpoint_of(run, self.checkpoint)
        cfg, theirs = saved_config(run), read_spec(run)
        # what is trusted already, since this policy is made of it
        cfg.modules = [
            part.func.__module__ for part in (policy.body, policy.head) if isinstance(part, partial)
        ]
        self._check_kind(cfg)
        reads = selected("policy.groups", cfg.policy.groups, theirs.widths)
        for told in (
            *_different_parts(policy, cfg),
            *different_entries(
                names(policy.low.reads, spec.widths), names(reads, theirs.widths), spec.name, theirs.name
            ),
            *different_actuators(spec, theirs),
            *different_rate(spec, theirs),
            *different_ranges(spec, theirs),
        ):
            raise PgrobotError(f"policy.low.run={self.run} has a low level for another policy: {told}")
        state = load_checkpoint(path)
        with fitting(path, run):
            learnt: Mapping[str, Tensor] = state["learners"][state["acting"]]["policy"]
            level = {
                key.removeprefix("low."): value for key, value in learnt.items() if key.startswith("low.")
            }
            policy.low.load_state_dict(level)
            origin = entries(reads, learnt["origin.value"], theirs.widths)
        policy.origin.adopt(by_group(places(policy.low.reads, spec.widths), origin.tolist()))

    def _check_kind(self, cfg: DictConfig) -> None:
        """Refuse a run whose policy has no levels."""
        target = cfg.policy.get("_target_")
        made = locate("policy", target, []) if str(target).startswith("pgrobot.") else None
        if made is not HierarchicalPolicy:
            raise PgrobotError(
                f"policy.low.run={self.run} has no low level: its policy is {target}; name a run of policy=hierarchical"
            )


def _different_parts(policy: HierarchicalPolicy, cfg: DictConfig) -> Iterator[str]:
    """In what the networks of both differ, what goals are, and how long they last."""
    theirs = construct(cfg, "policy").keywords
    ours = {"body": policy.body, "head": policy.head, "observation_clip": policy.low.normalizer.clip}
    for key, mine in ours.items():
        yield from different(f"policy.{key}", mine, theirs[key])
    goal, every = theirs["goal"], theirs["every"]
    if policy.goal.told != goal.told:
        yield f"its goals are {goal.told}, and here {policy.goal.told}"
    if policy.every != every:
        yield f"its goals last {every} steps, and here {policy.every}: set policy.every={every}"
