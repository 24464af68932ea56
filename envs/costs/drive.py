"""The joints that actuators drive, and the most that they can be driven with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation.simulation import Simulation
from pgrobot.simulation.strength import force_ranges, joint_torques
from pgrobot.simulation.units import drives_one_axis

from .choice import ALL, Part, chosen, limits


@dataclass(frozen=True)
class Drive:
    """``J`` hinges and slides that actuators drive, in the order of the actuators."""

    joints: tuple[str, ...]
    driven: tuple[Part, ...]  # all joints that are
    ids: np.ndarray  # [J]
    dofs: np.ndarray  # [J], into velocities and joint torques

    @classmethod
    def of(cls, name: str, simulation: Simulation, wanted: str | Sequence[str], *, alone: bool) -> Self:
        """Find them, for the constraint ``name``.

        Args:
            name: of the constraint.
            simulation: where they are.
            wanted: names or patterns of joints, or ``all`` that are driven.
            alone: whether every actuator has to drive one hinge or slide, as it has to where all joints are wanted.

        Raises:
            PgrobotError: an actuator drives something else, or no actuator drives what is wanted.
        """
        model = simulation.model
        if not model.nu:
            raise PgrobotError(f"constraint {name!r} needs an actuator: this robot has none")
        single = np.array([drives_one_axis(model, a) for a in range(model.nu)])
        for a in np.flatnonzero(~single) if alone or wanted == ALL else ():
            raise PgrobotError(
                f"constraint {name!r} needs actuators on hinges and slides: '{simulation.actuators[a]}' drives "
                "something else"
            )
        driven = list(dict.fromkeys(model.actuator_trnid[single, 0].tolist()))
        unfit = {
            joint: f"no actuator drives joint {joint!r} by itself"
            for j, joint in enumerate(simulation.joints)
            if j not in driven
        }
        parts = [Part(simulation.joints[j], "") for j in driven]
        at = chosen(f"constraint.{name}.cost.joints", "joint", wanted, parts, unfit)
        ids = np.array(driven)[at]
        return cls(tuple(simulation.joints[j] for j in ids), tuple(parts), ids, model.jnt_dofadr[ids])

    def limits(
        self, key: str, given: float | Mapping[str, float], check: Callable[[str, float], None]
    ) -> np.ndarray:
        """The limits ``[J]`` of these joints, as of ``choice.limits``; raises PgrobotError."""
        parts = [Part(joint, "") for joint in self.joints]
        return limits(key, "joint", given, parts, self.driven, check)

    def columns(self, field: np.ndarray) -> Callable[[], np.ndarray]:
        """Read these joints' entries of a live ``[..., nv]`` field: ``[..., J]``."""
        return picked(field, self.dofs)

    def greatest_torque(self, name: str, simulation: Simulation) -> np.ndarray:
        """What a joint's actuators give in their stronger direction, N·m or N: ``[1, J]``, ``[N, J]`` if it varies.

        Raises:
            PgrobotError: an actuator without a greatest force.
        """
        model, field = simulation.model, simulation.model_field
        mine = np.isin(model.actuator_trnid[:, 0], self.ids)
        unlimited = mine & ~np.isfinite(force_ranges(model, field)).all(axis=(0, 2))
        for actuator in np.array(simulation.actuators)[unlimited]:
            raise PgrobotError(
                f"constraint {name!r} needs a greatest force: give actuator '{actuator}' a forcerange in the MJCF file"
            )
        return np.asarray(np.abs(joint_torques(model, field, self.ids)).max(axis=-1))


def picked(field: np.ndarray, columns: np.ndarray) -> Callable[[], np.ndarray]:
    """Read some columns of a live ``[..., *]`` array; a view where they are consecutive."""
    first, count = int(columns[0]), len(columns)
    if np.array_equal(columns, np.arange(first, first + count)):
        view = field[..., first : first + count]
        return lambda: view
    return lambda: field[..., columns]
