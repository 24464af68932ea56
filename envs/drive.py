"""The joints that actuators drive, and the most that they can be driven with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation.simulation import Simulation
from pgrobot.simulation.strength import force_ranges, joint_torques
from pgrobot.simulation.units import drives_one_axis


@dataclass(frozen=True)
class Drive:
    """The ``J`` hinges and slides that actuators drive, in the order of the actuators."""

    joints: tuple[str, ...]
    ids: np.ndarray  # [J]
    dofs: np.ndarray  # [J], into velocities and joint torques

    @classmethod
    def of(cls, cost: str, simulation: Simulation) -> Self:
        """Find them, for the constraint ``cost``.

        Raises:
            PgrobotError: an actuator drives something else, or there is no actuator.
        """
        model = simulation.model
        targets = model.actuator_trnid[:, 0]
        for a, name in enumerate(simulation.actuators):
            if not drives_one_axis(model, a):
                raise PgrobotError(
                    f"constraint {cost!r} needs actuators on hinges and slides: '{name}' drives something else"
                )
        if not model.nu:
            raise PgrobotError(f"constraint {cost!r} needs an actuator: this robot has none")
        ids = np.array(list(dict.fromkeys(targets.tolist())))
        return cls(tuple(simulation.joints[i] for i in ids), ids, model.jnt_dofadr[ids])

    def columns(self, field: np.ndarray) -> Callable[[], np.ndarray]:
        """Read these joints' entries of a live ``[..., nv]`` field: ``[..., J]``."""
        return picked(field, self.dofs)

    def greatest_torque(self, simulation: Simulation) -> np.ndarray:
        """What a joint's actuators give in their stronger direction, N·m or N: ``[1, J]``, ``[N, J]`` if it varies.

        Raises:
            PgrobotError: an actuator without a greatest force.
        """
        model, field = simulation.model, simulation.model_field
        unlimited = ~np.isfinite(force_ranges(model, field)).all(axis=(0, 2))
        for name in np.array(simulation.actuators)[unlimited]:
            raise PgrobotError(
                f"constraint 'torque' needs a greatest force: give actuator '{name}' a forcerange in the MJCF file"
            )
        return np.asarray(np.abs(joint_torques(model, field, self.ids)).max(axis=-1))


def picked(field: np.ndarray, columns: np.ndarray) -> Callable[[], np.ndarray]:
    """Read some columns of a live ``[..., *]`` array; a view where they are consecutive."""
    first, count = int(columns[0]), len(columns)
    if np.array_equal(columns, np.arange(first, first + count)):
        view = field[..., first : first + count]
        return lambda: view
    return lambda: field[..., columns]
