"""Observation groups: what a policy or a critic reads of everything that was observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor

from pgrobot.errors import PgrobotError, nearest
from pgrobot.ranges import list_of, text
from pgrobot.types import EnvironmentSpec, ObservationGroup, Widths

# Which are read, in this order.
Groups = Annotated[
    Sequence[str],
    list_of(text("the name of an observation group"), "a list of observation groups, such as [policy]"),
]

# The share of the time limit that has passed: not observed but known to whoever looks at a whole rollout.
TIME = "time"


def critic_widths(spec: EnvironmentSpec) -> Widths:
    """Width of every group that a critic can read: what the environment shows, and the time."""
    return Widths(spec.name, {**spec.observation, TIME: ObservationGroup.numbered(TIME, (1,))})


def width_of(owner: str, groups: Sequence[str], observation: Mapping[str, int]) -> int:
    """Width of the groups side by side.

    Args:
        owner: who reads them, for the message: ``policy`` or ``critic``.
        groups: their names, in the order in which they are read.
        observation: width of each group that there is.

    Raises:
        PgrobotError: there is no such group, or none is read, or one twice.
    """
    if not groups:
        raise PgrobotError(f"{owner}.groups names no observation group; valid: {', '.join(observation)}")
    for group in groups:
        if group not in observation:
            raise PgrobotError(
                f"{owner}.groups names {group!r}, which this task does not observe; {nearest(group, observation)}"
            )
    if len(set(groups)) < len(groups):
        raise PgrobotError(f"{owner}.groups names a group twice: {', '.join(groups)}")
    return sum(observation[group] for group in groups)


def side_by_side(groups: Sequence[str], obs: Mapping[str, Tensor]) -> Tensor:
    """The groups of observations ``[…, D]`` as one tensor; of a single group the tensor itself."""
    if len(groups) == 1:
        return obs[groups[0]]
    return torch.cat([obs[group] for group in groups], -1)
