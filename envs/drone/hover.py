"""A quadrotor that flies to a point and stays there."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation import Simulation
from pgrobot.types import EntryNames, Observation

from ..geometry import length
from .bounds import Bounds
from .frames import in_body
from .quadrotor import AXES, FELT, Quadrotor

GOAL = (0.0, 0.0, 2.0)  # m


@dataclass(frozen=True, kw_only=True)
class DroneHover(Quadrotor):
    """It starts anywhere about the goal, moving and leaning, and is paid for being near it at every step.

    Attributes:
        spread: m by which a start lies beside the goal at most, along each axis.
        reach: m from the goal, along each axis, beyond which it is out of bounds.
        sharpness: how narrow the reward is: 1 / (1 + sharpness · distance), per m.
    """

    spread: float
    reach: float
    sharpness: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.spread < self.reach < GOAL[2]:
            raise PgrobotError(
                f"task.spread={self.spread} and task.reach={self.reach} have to be 0 ≤ spread < reach < {GOAL[2]} m, "
                "or an episode might begin out of bounds or below the floor."
            )
        if self.sharpness <= 0.0:
            raise PgrobotError(f"task.sharpness={self.sharpness} has to be above 0.")

    @property
    def bounds(self) -> Bounds:
        x, y, z = GOAL
        return Bounds(
            (x - self.reach, y - self.reach, z - self.reach), (x + self.reach, y + self.reach, z + self.reach)
        )

    def complete(self, spec: mujoco.MjSpec) -> None:
        spec.worldbody.add_site(name="goal", pos=GOAL, size=[0.05, 0.0, 0.0], rgba=[0.2, 0.7, 0.3, 0.3])

    def touching(self, simulation: Simulation) -> np.ndarray:
        """There is nothing to touch."""
        return np.zeros(simulation.num_envs, dtype=bool)

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return "near", "spin", "effort"

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        near = 1.0 / (1.0 + self.sharpness * length(simulation.after - GOAL))
        return near, *self.prices(simulation, action)

    def observation(self, simulation: Simulation) -> Observation:
        goal = in_body(simulation.qpos[:, 3:7], GOAL - simulation.qpos[:, :3])
        return {"policy": np.concatenate((goal, self.felt(simulation)), axis=1)}

    def observation_names(self, simulation: Simulation) -> EntryNames:
        return {"policy": [*(f"goal/{axis}" for axis in AXES), *FELT]}

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        place = np.array(GOAL) + random.uniform(-self.spread, self.spread, 3)
        quaternion, qvel = self.moving(random)
        return np.concatenate((place, quaternion)), qvel
