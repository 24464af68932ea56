"""Pusher: an arm of seven joints that pushes a cylinder to a goal (Gymnasium's Pusher-v5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation import Robot, Simulation
from pgrobot.types import EntryNames, Observation

from .geometry import length

SEEN = ("tips_arm", "object", "goal")  # bodies whose places are observed


@dataclass(frozen=True, kw_only=True)
class Pusher(Robot):
    """Seven actuated joints; the last four positions are the cylinder's and the goal's. Only time ends an episode.

    Attributes:
        reward_near_weight: price of the distance between fingertip and cylinder, per m.
        reward_dist_weight: price of the distance between cylinder and goal, per m.
        reward_control_weight: price of the squared action.
    """

    reward_near_weight: float
    reward_dist_weight: float
    reward_control_weight: float

    models: ClassVar = {"v5": "pusher_v5.xml"}

    def __post_init__(self) -> None:
        if self.version == "v4":
            raise PgrobotError(
                "Pusher-v4 exists for MuJoCo 2 only, as in Gymnasium (its model falls apart in MuJoCo 3): "
                "use task.version=v5."
            )
        super().__post_init__()

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return "dist", "ctrl", "near"

    def observation(self, simulation: Simulation) -> Observation:
        xpos = simulation.field("xpos")
        bodies = [xpos[:, simulation.body(name)] for name in SEEN]
        parts = (simulation.qpos[:, :7], simulation.qvel[:, :7], *bodies)
        return {"policy": np.concatenate(parts, axis=1)}

    def observation_names(self, simulation: Simulation) -> EntryNames:
        xpos = simulation.names("xpos")[0]
        bodies = [xpos[simulation.body(name)] for name in SEEN]
        parts = (simulation.names("qpos")[0, :7], simulation.names("qvel")[0, :7], *bodies)
        return {"policy": np.concatenate(parts).tolist()}

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        xpos = simulation.field("xpos")
        cylinder = xpos[:, simulation.body("object")]
        return (
            -length(cylinder - xpos[:, simulation.body("goal")]) * self.reward_dist_weight,
            -np.square(action).sum(axis=1) * self.reward_control_weight,
            -length(cylinder - xpos[:, simulation.body("tips_arm")]) * self.reward_near_weight,
        )

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """The cylinder starts anywhere in its quarter of the table but within 0.17 m of the goal."""
        model = simulation.model
        qpos = model.qpos0.copy()
        while np.linalg.norm(cylinder := random.uniform((-0.3, -0.2), (0.0, 0.2))) <= 0.17:
            pass
        qpos[-4:-2] = cylinder
        qpos[-2:] = 0
        qvel = random.uniform(-0.005, 0.005, model.nv)
        qvel[-4:] = 0
        return qpos, qvel
