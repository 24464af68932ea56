"""Costs of what actuators are told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pgrobot.errors import PgrobotError
from pgrobot.simulation.model import driven_joints
from pgrobot.simulation.simulation import Simulation
from pgrobot.types import State

from .choice import Chosen, Limit, Part, chosen, limits
from .violations import check_positive


@dataclass(frozen=True)
class ActionRate:
    """Actuators whose command moves by more than ``limit`` of its range from one step to the next.

    Attributes:
        limit: one for all, or by name of an actuator or of the joint that it drives.
        actuators: which are looked at, by such names; ``all``.
    """

    limit: Limit
    actuators: Chosen

    def bind(self, simulation: Simulation, name: str = "action_rate") -> CommandJumps:
        """Raises PgrobotError where an actuator's command is unlimited, or there is no such actuator."""
        key = f"constraint.{name}.cost"
        if not simulation.actuators:
            raise PgrobotError(f"constraint {name!r} needs an actuator: this robot has none")
        joints = driven_joints(simulation.model)
        parts = [Part(*each) for each in zip(simulation.actuators, joints, strict=True)]
        at = chosen(f"{key}.actuators", "actuator", self.actuators, parts, {})
        for a in at:
            if not np.isfinite(simulation.ctrl_range[a]).all():
                raise PgrobotError(
                    f"constraint {name!r} needs a ctrlrange: actuator '{simulation.actuators[a]}' has none"
                )
        share = limits(f"{key}.limit", "actuator", self.limit, [parts[a] for a in at], parts, check_positive)
        return CommandJumps(simulation, at, share * np.ptp(simulation.ctrl_range[at], axis=1))


class CommandJumps:
    """The bound ``ActionRate``. An episode's first command jumps from nowhere and costs nothing."""

    counts = True

    def __init__(self, simulation: Simulation, at: np.ndarray, largest: np.ndarray) -> None:
        self.parts = tuple(simulation.actuators[a] for a in at)
        self.highest = float(len(self.parts))
        self._simulation, self._at = simulation, at
        self._largest = largest  # [J]
        self._previous = np.full(
            (simulation.num_envs, len(at)), np.nan
        )  # [N, J]; nothing is greater than NaN

    def __call__(self) -> np.ndarray:
        """1 where actuator ``j`` of simulation ``n`` was moved too far, else 0: ``[N, J]``."""
        command = self._simulation.applied_ctrl[:, self._at]
        jumps = np.abs(command - self._previous) > self._largest
        self._previous[:] = command
        return jumps.astype(np.float64)

    def reset(self, ids: np.ndarray) -> None:
        self._previous[ids] = np.nan

    def state_dict(self) -> State:
        return {"previous": torch.tensor(self._previous)}

    def load_state_dict(self, state: State) -> None:
        self._previous[:] = state["previous"].numpy()
