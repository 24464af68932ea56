"""InvertedPendulum: a pole on a cart (Gymnasium's InvertedPendulum-v5 and -v4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pgrobot.simulation import Robot, Simulation
from pgrobot.types import EntryNames, Observation


@dataclass(frozen=True, kw_only=True)
class InvertedPendulum(Robot):
    """One actuated joint, paid 1 per step; leaning by more than 0.2 rad ends the episode.

    Version v4 also pays on the step that ends the episode.

    Attributes:
        reset_noise_scale: size of the uniform noise on the initial state.
    """

    reset_noise_scale: float

    models: ClassVar = {"v5": "inverted_pendulum.xml", "v4": "inverted_pendulum.xml"}

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return ("survive",)

    def observation(self, simulation: Simulation) -> Observation:
        return {"policy": np.concatenate((simulation.qpos, simulation.qvel), axis=1)}

    def observation_names(self, simulation: Simulation) -> EntryNames:
        return {"policy": [*simulation.names("qpos")[0], *simulation.names("qvel")[0]]}

    @property
    def can_fall(self) -> bool:
        return True

    def terminated(self, simulation: Simulation) -> np.ndarray:
        return np.abs(simulation.qpos[:, 1]) > 0.2

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        if self.version == "v4":
            return (np.ones(simulation.num_envs),)
        return (np.where(self.terminated(simulation), 0.0, 1.0),)

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        scale, model = self.reset_noise_scale, simulation.model
        qpos = model.qpos0 + random.uniform(-scale, scale, model.nq)
        return qpos, random.uniform(-scale, scale, model.nv)
