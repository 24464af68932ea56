"""Observation groups: what a policy or a critic reads of everything that was observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

import torch
from torch import Tensor

from pgrobot.errors import PgrobotError, nearest
from pgrobot.ranges import list_of, text
from pgrobot.types import EnvironmentSpec, ObservationGroup, Widths

# Which are read, in this order.
Groups = Annotated[
    Sequence[str],
    list_of(
        text("the name of an observation group or entry"), "a list of observation groups, such as [policy]"
    ),
]

# The share of the time limit that has passed: not observed but known to whoever looks at a whole rollout.
TIME = "time"
POLICY = "policy"  # what policies read
GOAL, TIME_LEFT = "policy/goal", "policy/time_left"  # what a policy of two levels shows critics
FEATURES = "policy/features"  # what a policy with an encoder shows them
WHOLE = -1


def critic_widths(spec: EnvironmentSpec, shows: Mapping[str, int]) -> Widths:
    """Width of every group that a critic can read: what the environment shows, the time, and what the policy shows.

    Args:
        spec: of the environment.
        shows: ``Acting.shows`` of the policy.

    Raises:
        PgrobotError: environment and policy both show a group of one name.
    """
    both = next((name for name in shows if name in spec.observation), "")
    if both:
        raise PgrobotError(
            f"the policy shows its critic a group {both!r}, and {spec.name} has one of that name: call the "
            "environment's something else"
        )
    others = {name: ObservationGroup.numbered(name, (width,)) for name, width in {TIME: 1, **shows}.items()}
    return Widths(spec.name, {**spec.observation, **others}, beside=tuple(others))


@dataclass(frozen=True, slots=True)
class Selection:
    """What a network reads of all that is observed, side by side.

    Attributes:
        parts: a group and the index of one of its entries each; ``WHOLE``: all of them.
        width: how many numbers that is.
        rows: where there are none, a group that has as many rows, and of how many dimensions one of them is.
    """

    parts: tuple[tuple[str, int], ...]
    width: int
    rows: tuple[str, int] = ("", 0)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that any of it is in."""
        return tuple(dict.fromkeys(group for group, _ in self.parts))

    def __call__(self, obs: Mapping[str, Tensor]) -> Tensor:
        """What is read of observations ``[…, D]``: ``[…, width]``; of a single group the tensor itself."""
        if len(self.parts) == 1 and self.parts[0][1] == WHOLE:
            return obs[self.parts[0][0]]
        if not self.parts:
            shown = obs[self.rows[0]]
            return torch.zeros(*shown.shape[: shown.dim() - self.rows[1]], 0)
        rows = [obs[group] if at == WHOLE else obs[group][..., at : at + 1] for group, at in self.parts]
        return torch.cat(rows, -1)


def selected(key: str, names: Sequence[str], observation: Mapping[str, int]) -> Selection:
    """What ``groups`` of a policy or critic select.

    A name is that of a group, or of one entry of a group by its full name, ``<group>/<entry>``. ``policy`` is what
    policies read: the group of that name, or where there is none all groups but images.

    Args:
        key: where they are named, for the message: ``policy.groups``.
        names: of groups and entries, in the order in which they are read.
        observation: width of each group that there is; ``Widths`` know the names of its entries, of another mapping
            they are ``<group>/<i>``.

    Raises:
        PgrobotError: there is no such group or entry, or none is read, or one twice.
    """
    if not names:
        raise PgrobotError(f"{key} names no observation group; valid: {', '.join(observation)}")
    parts = [part for name in names for part in _parts(key, name, observation)]
    read = [(group, i) for group, at in parts for i in (range(observation[group]) if at == WHOLE else (at,))]
    if len(set(read)) < len(read):
        raise PgrobotError(f"{key} names a group or an entry twice: {', '.join(names)}")
    return Selection(tuple(parts), len(read))


def named(pattern: str, group: str, entry: str) -> bool:
    """Whether a pattern names an entry, with or without its group before it: ``qpos/*``, ``policy/qpos/*``."""
    return fnmatchcase(entry, pattern) or fnmatchcase(full_name(group, entry), pattern)


def full_name(group: str, entry: str) -> str:
    """``<group>/<entry>``."""
    return entry if entry.startswith(f"{group}/") else f"{group}/{entry}"


def matching(owner: str, patterns: Sequence[str], observation: Widths) -> tuple[str, ...]:
    """Full names of the entries that patterns name, in the order in which they are observed.

    Raises:
        PgrobotError: one names none; the sentence begins with ``owner``.
    """
    known = [(group, entry) for group in observation for entry in observation.names(group)]
    for pattern in patterns:
        if not any(named(pattern, *each) for each in known):
            raise PgrobotError(
                f"{owner} names {pattern!r}, which is not observed; {nearest(pattern, [e for _, e in known])}"
            )
    return tuple(full_name(*each) for each in known if any(named(pattern, *each) for pattern in patterns))


def _parts(key: str, name: str, observation: Mapping[str, int]) -> list[tuple[str, int]]:
    """What one name selects."""
    if name in observation:
        return [(name, WHOLE)]
    beside = observation.beside if isinstance(observation, Widths) else (TIME,)
    if name == POLICY and (numbers := [group for group in observation if group not in beside]):
        return [(group, WHOLE) for group in numbers]
    if name == POLICY:
        raise PgrobotError(
            f"{key} reads {name!r}, and this task observes images alone, which a network of numbers would not "
            "see: the body that sees them is policy/body=cnn, and of a critic critic/body=cnn"
        )
    inside = [group for group in observation if name.startswith(f"{group}/")]
    for group in sorted(inside, key=len, reverse=True):
        entries = _full_names(group, observation)
        if name in entries:
            return [(group, entries.index(name))]
    if name in (GOAL, TIME_LEFT):
        raise PgrobotError(
            f"{key} names {name!r}, which policy=hierarchical shows critics, and nobody here: leave it out"
        )
    if name == FEATURES:
        raise PgrobotError(
            f"{key} names {name!r}, which a policy with policy/body=encoder shows critics where "
            "policy.share_features=true, and nobody here: leave it out"
        )
    near = [entry for group in inside for entry in _full_names(group, observation)]
    raise PgrobotError(
        f"{key} names {name!r}, which this task does not observe; {nearest(name, near or observation)}"
    )


def _full_names(group: str, observation: Mapping[str, int]) -> list[str]:
    """``<group>/<entry>`` of every entry of a group."""
    if not isinstance(observation, Widths):
        return [f"{group}/{i}" for i in range(observation[group])]
    return [full_name(group, name) for name in observation.names(group)]


def numbers_in(obs: Mapping[str, Tensor]) -> Tensor:
    """What policies read of observations ``[…, D]`` where nothing is chosen: ``policy``, or all that are no images."""
    if POLICY in obs:
        return obs[POLICY]
    rows = [value for group, value in obs.items() if group != TIME and value.is_floating_point()]
    return torch.cat(rows, -1)
