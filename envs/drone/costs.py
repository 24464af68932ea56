"""Costs of flying: crashes, tilt, bounds, and being somewhere else than the goal."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation import Simulation

from ..costs import Violations
from ..geometry import length
from .bounds import Bounds

FREE = int(mujoco.mjtJoint.mjJNT_FREE)


@dataclass(frozen=True)
class Crash:
    """1 in the step in which a drone touches something, which ends its episode."""

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError for what has no bounds to fly in."""
        bounds, here = Bounds.of("crash", simulation.model), simulation.qpos[:, :3]
        _ = simulation.fallen  # raises where there is nothing to crash

        def touched() -> np.ndarray:
            return (simulation.fallen & ~bounds.left(here).any(axis=1))[:, None]

        return Violations((_body(simulation),), touched)


@dataclass(frozen=True)
class OutOfBounds:
    """1 in the step in which a drone leaves its bounds, which ends its episode; by the axis along which it did."""

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError for what has no bounds to fly in."""
        bounds, here = Bounds.of("out_of_bounds", simulation.model), simulation.qpos[:, :3]
        return Violations(("x", "y", "z"), lambda: bounds.left(here))


@dataclass(frozen=True)
class Tilt:
    """1 per step in which a robot that moves freely leans by more than ``limit`` (rad) from the upright."""

    limit: float

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError for a robot whose body does not move freely."""
        if not 0.0 < self.limit < math.pi:
            raise PgrobotError(f"constraint.tilt.cost.limit={self.limit} has to lie between 0 and π rad")
        model = simulation.model
        if not model.njnt or int(model.jnt_type[0]) != FREE:
            raise PgrobotError(
                "constraint 'tilt' needs a robot with a free joint: leave it out with ~constraint.tilt."
            )
        quaternion, lowest = simulation.qpos[:, 3:7], math.cos(self.limit)

        def tilted() -> np.ndarray:
            _, x, y, _ = (quaternion / length(quaternion)[:, None]).T
            return (1.0 - 2.0 * (x * x + y * y) < lowest)[:, None]

        return Violations((_body(simulation),), tilted)


@dataclass(frozen=True)
class OffGoal:
    """1 per step farther than ``distance`` (m) from the goal, once ``settle`` (s) have passed, and 1 for a crash.

    So an episode that costs nothing was within the distance from then to its end.
    """

    distance: float
    settle: float

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError for a task without a goal that stays."""
        for name, least in (("distance", self.distance > 0.0), ("settle", self.settle >= 0.0)):
            if not least or not math.isfinite(getattr(self, name)):
                raise PgrobotError(
                    f"constraint.off_goal.cost.{name}={getattr(self, name)} has to be a positive number"
                )
        _ = Bounds.of("off_goal", simulation.model)
        site = mujoco.mj_name2id(simulation.model, mujoco.mjtObj.mjOBJ_SITE, "goal")
        if site < 0:
            raise PgrobotError("constraint 'off_goal' needs a goal to stay at: it is for task=drone_hover.")
        goal, settled = simulation.model.site_pos[site].copy(), self.settle / simulation.dt

        def astray() -> np.ndarray:
            away = length(simulation.qpos[:, :3] - goal) > self.distance
            return (away & (simulation.age > settled) | simulation.fallen)[:, None]

        return Violations((_body(simulation),), astray)


def _body(simulation: Simulation) -> str:
    return simulation.model.body(1).name or "robot"
