"""Costs of the robot as a whole: how fast it is, and whether it stands."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation.simulation import Simulation

from .violations import Violations, check_positive


@dataclass(frozen=True)
class Speed:
    """1 per step in which the robot's forward speed, as the robot defines it, exceeds ``threshold`` (m/s).

    Safety-Gymnasium's velocity cost (Ji et al. 2023).
    """

    threshold: float

    def bind(self, simulation: Simulation, name: str = "speed") -> Violations:
        """Raises PgrobotError for a robot without a forward speed or without a published threshold."""
        _ = simulation.forward_speed  # raises where there is none
        check_positive(f"constraint.{name}.cost.threshold", self.threshold)
        body = simulation.model.body(1).name or "forward_speed"
        return Violations((body,), lambda: (simulation.forward_speed > self.threshold)[:, None])


@dataclass(frozen=True)
class Fall:
    """1 in the step in which the robot falls, which ends its episode; or in every step in which a body lies.

    Attributes:
        body: which shall not lie; empty: a fall is what the robot itself ends an episode for.
        height: a body that is lower lies, m; minus infinity: it may.
        tilt: one that leans further lies, rad from where it stands in the model; infinite: it may.
    """

    body: str
    height: float
    tilt: float

    def bind(self, simulation: Simulation, name: str = "fall") -> Violations:
        """Raises PgrobotError where nothing says what a fall is, or there is no such body."""
        key = f"constraint.{name}.cost"
        by_height, by_tilt = math.isfinite(self.height), math.isfinite(self.tilt)
        if not self.body:
            if by_height or by_tilt:
                raise PgrobotError(f"{key} says when a body lies, and not which: add {key}.body=<name>")
            _ = simulation.fallen  # raises where there is none
            body = simulation.model.body(1).name or "robot"
            return Violations((body,), lambda: simulation.fallen[:, None])
        if not (by_height or by_tilt):
            raise PgrobotError(
                f"{key}.body={self.body} needs {key}.height=<m> or {key}.tilt=<rad>, which say when it lies"
            )
        if by_tilt and not 0.0 < self.tilt < math.pi:
            raise PgrobotError(f"{key}.tilt={self.tilt} has to lie between 0 and π")
        index = simulation.body(self.body)
        height = simulation.field("xpos")[:, index, 2]
        upright = _upright(simulation, index)
        steepest = math.cos(self.tilt) if by_tilt else -math.inf
        return Violations((self.body,), lambda: ((height < self.height) | (upright() < steepest))[:, None])


def _upright(simulation: Simulation, body: int) -> Callable[[], np.ndarray]:
    """The cosine of the angle by which a body leans from its place in the model's own pose, ``[N]``."""
    data = mujoco.MjData(simulation.model)
    mujoco.mj_kinematics(simulation.model, data)
    up = data.xmat[body].reshape(3, 3)[2].copy()  # what is up, in the body's frame
    rotation = simulation.field("xmat")[:, body, 6:]  # the third row: heights of the body's axes
    return lambda: rotation @ up
