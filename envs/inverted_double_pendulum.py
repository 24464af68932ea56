"""InvertedDoublePendulum: two poles on a cart (Gymnasium's InvertedDoublePendulum-v5 and -v4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pgrobot.simulation import Robot, Simulation
from pgrobot.types import EntryNames, Observation


@dataclass(frozen=True, kw_only=True)
class InvertedDoublePendulum(Robot):
    """One actuated joint; the tip's distance from upright and the poles' velocities cost; a tip below 1 m ends.

    Version v4 pays for being alive also on the step that ends the episode, and sees every constraint force.

    Attributes:
        healthy_reward: paid per step.
        reset_noise_scale: size of the noise on the initial state.
    """

    healthy_reward: float
    reset_noise_scale: float

    models: ClassVar = {"v5": "inverted_double_pendulum.xml", "v4": "inverted_double_pendulum.xml"}

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return "survive", "distance_penalty", "velocity_penalty"

    def observation(self, simulation: Simulation) -> Observation:
        qpos, seen = simulation.qpos, 1 if self.version == "v5" else None
        force = np.clip(simulation.field("qfrc_constraint"), -10, 10)[:, :seen]
        velocity = np.clip(simulation.qvel, -10, 10)
        parts = (qpos[:, :1], np.sin(qpos[:, 1:]), np.cos(qpos[:, 1:]), velocity, force)
        return {"policy": np.concatenate(parts, axis=1)}

    def observation_names(self, simulation: Simulation) -> EntryNames:
        qpos, seen = simulation.names("qpos")[0], 1 if self.version == "v5" else None
        force = simulation.names("qfrc_constraint")[0, :seen]
        angles = [f"{function}_{name}" for function in ("sin", "cos") for name in qpos[1:]]
        return {"policy": [qpos[0], *angles, *simulation.names("qvel")[0], *force]}

    @property
    def can_fall(self) -> bool:
        return True

    def terminated(self, simulation: Simulation) -> np.ndarray:
        return simulation.field("site_xpos")[:, 0, 2] <= 1

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        tip = simulation.field("site_xpos")[:, 0]
        x, y = tip[:, 0], tip[:, 2]
        lower, upper = simulation.qvel[:, 1], simulation.qvel[:, 2]
        square = lambda value: np.float_power(value, 2)  # rounds as `**` on a scalar does; np.square does not
        distance = 0.01 * square(x) + square(y - 2)
        velocity = 1e-3 * square(lower) + 5e-3 * square(upper)
        alive = ~self.terminated(simulation) | (self.version == "v4")
        return self.healthy_reward * alive, -distance, -velocity

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        scale, model = self.reset_noise_scale, simulation.model
        qpos = model.qpos0 + random.uniform(-scale, scale, model.nq)
        return qpos, random.standard_normal(model.nv) * scale
