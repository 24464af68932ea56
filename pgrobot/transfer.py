"""A low level that another run has learnt, taken over by a new hierarchical policy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from omegaconf import DictConfig
from torch import Tensor

from pgrobot.errors import PgrobotError, shown
from pgrobot.groups import WHOLE, Selection, selected
from pgrobot.named_run import checkpoint_of
from pgrobot.past import fitting, load_checkpoint, saved_config
from pgrobot.policies import HierarchicalPolicy
from pgrobot.ranges import text
from pgrobot.spec_file import read_spec
from pgrobot.targets import construct, locate
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
        reads = selected("policy", cfg.policy.groups, theirs.widths)
        for told in (
            *_different_parts(policy, cfg),
            *_different_entries(
                _names(policy.low.reads, spec), _names(reads, theirs), spec.name, theirs.name
            ),
            *_different_actions(spec, theirs),
        ):
            raise PgrobotError(f"policy.low.run={self.run} has a low level for another policy: {told}")
        state = load_checkpoint(path)
        with fitting(path, run):
            learnt: Mapping[str, Tensor] = state["learners"][state["acting"]]["policy"]
            level = {
                key.removeprefix("low."): value for key, value in learnt.items() if key.startswith("low.")
            }
            policy.low.load_state_dict(level)
            origin = _entries(reads, learnt["origin.value"], theirs)
        policy.origin.adopt(_by_group(policy.low.reads, origin, spec))

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
        yield from _different(f"policy.{key}", mine, theirs[key])
    goal, every = theirs["goal"], theirs["every"]
    if policy.goal.told != goal.told:
        yield f"its goals are {goal.told}, and here {policy.goal.told}"
    if policy.every != every:
        yield f"its goals last {every} steps, and here {policy.every}: set policy.every={every}"


def _different(key: str, mine: Any, wanted: Any) -> Iterator[str]:
    if isinstance(mine, partial) and isinstance(wanted, partial):
        if mine.func is not wanted.func:
            yield f"{key} is {wanted.func.__name__} there and {mine.func.__name__} here"
            return
        for name in mine.keywords | wanted.keywords:
            yield from _different(f"{key}.{name}", mine.keywords.get(name), wanted.keywords.get(name))
    elif mine != wanted:
        typed = str(wanted).replace(" ", "")
        yield f"{key} is {shown(mine)} here and {shown(wanted)} there, set {key}={typed}"


def _different_entries(ours: list[str], theirs: list[str], here: str, there: str) -> Iterator[str]:
    missing, new = [n for n in theirs if n not in ours], [n for n in ours if n not in theirs]
    if missing or new:
        words = [
            f"of {name} {', '.join(names[:3])}{' …' * (len(names) > 3)}"
            for name, names in ((there, missing), (here, new))
            if names
        ]
        yield f"it reads {' and this one '.join(words)}" if missing else f"this one reads {words[0]} as well"
    for mine, wanted in zip(ours, theirs, strict=False):
        if mine != wanted:
            yield f"it reads {wanted} where this one reads {mine}, set policy.groups to the same order"


def _different_actions(ours: EnvironmentSpec, theirs: EnvironmentSpec) -> Iterator[str]:
    rows = [
        [(a.name, a.unit, a.choices, float(low), float(high))
         for a, low, high in zip(spec.actions, spec.action_low, spec.action_high, strict=True)]
        for spec in (ours, theirs)
    ]  # fmt: skip
    names = [[row[0] for row in each] for each in rows]
    if names[0] != names[1]:
        yield f"it drives {', '.join(names[1])}, and {ours.name} has {', '.join(names[0])}"
    if not math.isclose(ours.control_dt, theirs.control_dt):
        yield f"it acts every {theirs.control_dt:g} s, and {ours.name} every {ours.control_dt:g} s"
    for mine, wanted in zip(*rows, strict=False):
        if mine != wanted:
            words = ["{1!r}, {2} choices, from {3:g} to {4:g}".format(*row) for row in (mine, wanted)]
            yield f"the action {mine[0]} is {words[1]} there and {words[0]} here"
    for own, other in zip(ours.actions, theirs.actions, strict=False):
        if own.mapped != other.mapped:
            here, there = (list(a.mapped) or "those of its bounds" for a in (own, other))
            yield f"the action {own.name} has the offset and scale {there} there and {here} here, as task.actions says"


def _places(reads: Selection, spec: EnvironmentSpec) -> list[tuple[str, int]]:
    """The group of every entry that is read, and its place there."""
    return [
        (group, i)
        for group, at in reads.parts
        for i in (range(spec.observation[group].width) if at == WHOLE else (at,))
    ]


def _names(reads: Selection, spec: EnvironmentSpec) -> list[str]:
    return [spec.observation[group].names[i] for group, i in _places(reads, spec)]


def _entries(reads: Selection, value: Tensor, spec: EnvironmentSpec) -> Tensor:
    """What is said of all that is observed, ``[D]``, of the entries that are read."""
    begins, begin = {}, 0
    for group, width in spec.widths.items():
        begins[group], begin = begin, begin + width
    return value[[begins[group] + i for group, i in _places(reads, spec)]]


def _by_group(reads: Selection, value: Tensor, spec: EnvironmentSpec) -> dict[str, dict[int, float]]:
    """What is said of the entries that are read, by their groups and places."""
    found: dict[str, dict[int, float]] = {}
    for (group, i), each in zip(_places(reads, spec), value.tolist(), strict=True):
        found.setdefault(group, {})[i] = each
    return found
