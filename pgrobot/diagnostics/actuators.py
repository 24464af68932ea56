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
from pgrobot.types import UNLIMITED, EnvironmentSpec

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
        least, greatest: what the bounds of the action space and, of a torque, the actuator itself allow, in the unit,
            float64, ``[J]``; infinite where neither limits it.
        entries: their places in the environment's action, ``[J]``.
        count: how many entries that has.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    scale: Tensor
    least: Tensor
    greatest: Tensor
    entries: Tensor
    count: int

    @classmethod
    def of(cls, spec: EnvironmentSpec, most: int) -> Self:
        """The first ``most`` actuators of an environment."""
        chosen = [index for index, action in enumerate(spec.actions) if action.choices == 0][:most]
        parts = [_parted(spec.actions[index].unit) for index in chosen]
        factor = np.array([number for number, _ in parts])
        ends = np.sort(factor * np.stack((spec.action_low[chosen], spec.action_high[chosen])), axis=0)
        gives = [
            spec.actions[index].gives if unit in FORCES else UNLIMITED
            for index, (_, unit) in zip(chosen, parts, strict=True)
        ]
        least, greatest = torch.from_numpy(np.clip(ends, *np.array(gives).reshape(-1, 2).T))
        return cls(
            names=tuple(spec.actions[index].name for index in chosen),
            units=tuple(unit for _, unit in parts),
            scale=torch.from_numpy(factor * ActionMap.of(spec).unit[chosen]),
            least=least,
            greatest=greatest,
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

    def share(self, torque: Tensor, ends: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """How much of what the actuators can give in its direction a torque ``[…, J]`` is; 0 where that is infinite.

        Args:
            torque: of each.
            ends: what they can give at least and at most, ``[…, J]`` each; none: ``least`` and ``greatest``.
        """
        least, greatest = ends or (self.least, self.greatest)
        end = torch.where(torque < 0.0, least, greatest)
        return torch.where(torque == 0.0, 0.0, (torque / end).abs())

    @property
    def bounded(self) -> Tensor:
        """Of which it is known what they can give, in either direction, ``[J]`` bool."""
        return self.least.isfinite() & self.greatest.isfinite()

    @property
    def forces(self) -> Tensor:
        """Which are torques or forces, ``[J]`` bool."""
        return torch.tensor([unit in FORCES for unit in self.units], dtype=torch.bool)


def _parted(unit: str) -> tuple[float, str]:
    found = _UNIT.fullmatch(unit)
    return (float(found[1] or 1.0), found[2]) if found else (1.0, UNKNOWN)
