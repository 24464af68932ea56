"""Actuators: which entries of an action they are, and what one policy unit of each is in the world."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from pgrobot.action_map import ActionMap
from pgrobot.policies import Policy
from pgrobot.types import EnvironmentSpec

UNKNOWN = "action"  # the unit of an action of which the environment does not say what it is
FORCES = ("N·m", "N")
_UNIT = re.compile(r"(?:(-?[\d.]+(?:e[+-]?\d+)?) )?(\S.*)")  # "200 N·m", "rad"


@dataclass(frozen=True, slots=True)
class Actuators:
    """The ``J`` entries of an environment's action that are real numbers; choices are left out.

    Attributes:
        names: of each.
        units: what it is counted in: ``N·m``, of a slide ``N``, of a servo such as ``rad``; ``action`` where the
            environment does not say: then one unit of the action space.
        scale: units per policy unit, float64, ``[J]``; negative where the gear is.
        limit: the most that the action space allows in either direction, in the unit, float64, ``[J]``; infinite
            where it is unbounded.
        entries: their places in the environment's action, ``[J]``.
        count: how many entries that has.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    scale: Tensor
    limit: Tensor
    entries: Tensor
    count: int

    @classmethod
    def of(cls, spec: EnvironmentSpec, most: int) -> Self:
        """The first ``most`` actuators of an environment."""
        chosen = [index for index, action in enumerate(spec.actions) if action.choices == 0][:most]
        parts = [_parted(spec.actions[index].unit) for index in chosen]
        factor = torch.tensor([number for number, _ in parts], dtype=torch.float64)
        bounds = np.maximum(np.abs(spec.action_low), np.abs(spec.action_high))
        return cls(
            names=tuple(spec.actions[index].name for index in chosen),
            units=tuple(unit for _, unit in parts),
            scale=factor * torch.from_numpy(ActionMap.of(spec).unit[chosen]),
            limit=factor.abs() * torch.from_numpy(bounds[chosen]),
            entries=torch.tensor(chosen, dtype=torch.long),
            count=len(spec.actions),
        )

    def drawn(self, policy: Policy) -> Tensor:
        """Where a policy draws them, ``[J]``: of no width where what it commands is no selection of what it draws."""
        places = torch.arange(policy.action_size)
        command = policy.command(places.float()).detach()
        if command.shape != (self.count,) or not bool(torch.isin(command, places.float()).all()):
            return places[:0]
        return command.long()[self.entries]

    @property
    def forces(self) -> Tensor:
        """Which are torques or forces, ``[J]`` bool."""
        return torch.tensor([unit in FORCES for unit in self.units], dtype=torch.bool)


def _parted(unit: str) -> tuple[float, str]:
    found = _UNIT.fullmatch(unit)
    return (float(found[1] or 1.0), found[2]) if found else (1.0, UNKNOWN)
