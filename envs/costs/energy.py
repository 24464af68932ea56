"""The mechanical work of the motors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from pgrobot.ranges import at_least
from pgrobot.simulation.simulation import Simulation
from pgrobot.types import State

from .choice import Chosen
from .drive import Drive, picked

DISTANCE = "distance"  # the part that pays back


@dataclass(frozen=True)
class Energy:
    """Work of the driven joints in a step, ``∫ |torque · velocity| dt``, given or taken, in J.

    Within a substep the torque is what MuJoCo tells of it, and the integral ``|torque · way|``.

    Attributes:
        per_metre: J that every metre forward pays back, as a part ``distance``; 0: none. With it a budget of nearly 0
            says that no more than so many J are spent per metre.
        joints: which are looked at; ``all`` that are driven.
    """

    per_metre: Annotated[float, at_least(0.0)]
    joints: Chosen

    def bind(self, simulation: Simulation, name: str = "energy") -> Work:
        """Raises PgrobotError where an actuator drives no single joint, or no speed says how far the robot came."""
        drive = Drive.of(name, simulation, self.joints, alone=False)
        if self.per_metre:
            _ = simulation.forward_speed  # raises where there is none
        return Work(simulation, drive, self.per_metre)


class Work:
    """The bound ``Energy``."""

    def __init__(self, simulation: Simulation, drive: Drive, per_metre: float) -> None:
        self.parts = (*drive.joints, DISTANCE) if per_metre else drive.joints
        columns = simulation.model.jnt_qposadr[drive.ids]
        self._simulation, self._per_metre = simulation, per_metre
        self._torque = drive.columns(simulation.by_substep("qfrc_actuator"))
        self._place = picked(simulation.by_substep("qpos"), columns)
        self._now = picked(simulation.qpos, columns)
        self._before = self._now().copy()  # where the joints were when the step began [N, J]

    def __call__(self) -> np.ndarray:
        """What was spent on each joint, and at last what the way pays back: ``[N, J]``."""
        place = self._place()
        way = np.diff(place, axis=1, prepend=self._before[:, None])
        spent: np.ndarray = np.abs(self._torque() * way).sum(axis=1)
        self._before = self._now().copy()
        if not self._per_metre:
            return spent
        metres = self._simulation.forward_speed * self._simulation.dt
        return np.concatenate((spent, -self._per_metre * metres[:, None]), axis=1)

    def reset(self, ids: np.ndarray) -> None:
        """The joints are where the new episodes begin."""
        self._before[ids] = self._now()[ids]

    def state_dict(self) -> State:
        """Nothing: the state of the simulations says where the joints are."""
        return {}

    def load_state_dict(self, state: State) -> None:
        self._before = self._now().copy()
