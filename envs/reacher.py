"""Reacher: a planar two-joint arm that reaches for a target (Gymnasium's Reacher-v5 and -v4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pgrobot.simulation import Robot, Simulation
from pgrobot.types import EntryNames, Observation

from .geometry import length


@dataclass(frozen=True, kw_only=True)
class Reacher(Robot):
    """Two actuated joints; the last two positions are the target's. Only the time limit ends an episode.

    Attributes:
        reward_dist_weight: price of the distance between fingertip and target, per m.
        reward_control_weight: price of the squared action.
    """

    reward_dist_weight: float
    reward_control_weight: float

    models: ClassVar = {"v5": "reacher.xml", "v4": "reacher.xml"}

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return "dist", "ctrl"

    def reward_state(self, simulation: Simulation) -> np.ndarray:
        """Fingertip from target, m ``[N, 3]``."""
        xpos = simulation.field("xpos")
        return xpos[:, simulation.body("fingertip")] - xpos[:, simulation.body("target")]

    def observation(self, simulation: Simulation) -> Observation:
        qpos, qvel = simulation.qpos, simulation.qvel
        angles, seen = qpos[:, :2], 2 if self.version == "v5" else 3
        offset = self.reward_state(simulation)[:, :seen]
        parts = (np.cos(angles), np.sin(angles), qpos[:, 2:], qvel[:, :2], offset)
        return {"policy": np.concatenate(parts, axis=1)}

    def observation_names(self, simulation: Simulation) -> EntryNames:
        qpos, seen = simulation.names("qpos")[0], "xy" if self.version == "v5" else "xyz"
        angles = [f"{function}_{name}" for function in ("cos", "sin") for name in qpos[:2]]
        offset = [f"fingertip_from_target/{axis}" for axis in seen]
        return {"policy": [*angles, *qpos[2:], *simulation.names("qvel")[0, :2], *offset]}

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        """Version v4 pays for the distance before the step, v5 for the one after."""
        offset = simulation.after if self.version == "v5" else simulation.before
        return (
            -length(offset) * self.reward_dist_weight,
            -np.square(action).sum(axis=1) * self.reward_control_weight,
        )

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """The target lies uniformly in a disc of 0.2 m around the shoulder."""
        model = simulation.model
        qpos = random.uniform(-0.1, 0.1, model.nq) + model.qpos0
        while np.linalg.norm(goal := random.uniform(-0.2, 0.2, 2)) >= 0.2:
            pass
        qpos[-2:] = goal
        qvel = random.uniform(-0.005, 0.005, model.nv)
        qvel[-2:] = 0
        return qpos, qvel
