"""What a robot that is described by its model alone observes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from pgrobot.simulation import Simulation

from .base import FREE, FREE_JOINT, Base

AXES = ("x", "y", "z")
FREE_POSITIONS, FREE_VELOCITIES = 7, 6


@dataclass(frozen=True, eq=False)
class Seen:
    """Which coordinates are observed as they are, and whether the base's motion is observed in its own frame.

    Where a robot is on the floor is hidden, of anything that flies free as well. What a free base's quaternion and
    velocities say is observed as the direction of gravity and both velocities, in the base's frame.

    Attributes:
        base: whose motion is observed.
        positions, velocities: columns of ``qpos`` and ``qvel``.
    """

    base: Base
    positions: np.ndarray
    velocities: np.ndarray

    @classmethod
    def of(cls, simulation: Simulation, base: Base) -> Self:
        model = simulation.model
        positions, velocities = np.ones(model.nq, dtype=bool), np.ones(model.nv, dtype=bool)
        for q in model.jnt_qposadr[model.jnt_type == FREE_JOINT]:
            positions[q : q + 2] = False
        carrying = np.isin(model.jnt_dofadr, base.slides)
        positions[model.jnt_qposadr[carrying]] = False
        if base.kind == FREE:
            positions[base.qpos + 3 : base.qpos + FREE_POSITIONS] = False
            velocities[base.dof : base.dof + FREE_VELOCITIES] = False
        return cls(base, np.flatnonzero(positions), np.flatnonzero(velocities))

    def entries(self, simulation: Simulation) -> np.ndarray:
        """What is observed, ``[N, D]``."""
        parts = [simulation.qpos[:, self.positions], simulation.qvel[:, self.velocities]]
        if simulation.model.na:
            parts.append(simulation.field("act"))
        if self.base.kind == FREE:
            rotation = self.base.rotation(simulation)
            inward = self.base.velocity(simulation)[:, None] @ rotation
            parts += [-rotation[:, 2], inward[:, 0], self.base.spin(simulation)]
        return np.concatenate(parts, axis=1)

    def names(self, simulation: Simulation) -> list[str]:
        """What the entries are called."""
        named = [
            *simulation.names("qpos")[0, self.positions],
            *simulation.names("qvel")[0, self.velocities],
        ]
        if simulation.model.na:
            named += simulation.names("act")[0].tolist()
        if self.base.kind == FREE:
            motion = ("gravity", "linear_velocity", "angular_velocity")
            named += [f"{word}/{axis}" for word in motion for axis in AXES]
        return named
