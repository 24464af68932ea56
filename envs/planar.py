"""What the planar runners share: life in a plane, paid for forward velocity less control effort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pgrobot.simulation import Robot, Simulation
from pgrobot.types import EntryNames, Observation


@dataclass(frozen=True, kw_only=True)
class PlanarRunner(Robot):
    """A runner in a plane, whose first coordinate is its x position.

    Attributes:
        forward_reward_weight: reward per m/s of forward velocity.
        ctrl_cost_weight: price of the squared action.
        reset_noise_scale: size of the noise on the initial state.
        exclude_current_positions_from_observation: hide the position in the world from the policy.
        positions: how many of the first coordinates are that position; the very first is x.
    """

    forward_reward_weight: float
    ctrl_cost_weight: float
    reset_noise_scale: float
    exclude_current_positions_from_observation: bool

    positions: ClassVar[int] = 1

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return "forward", "ctrl"

    def reward_state(self, simulation: Simulation) -> np.ndarray:
        return simulation.qpos[:, :1].copy()

    def forward_speed(self, simulation: Simulation) -> np.ndarray:
        """Signed x velocity over the whole step."""
        return (simulation.after[:, 0] - simulation.before[:, 0]) / simulation.dt

    def observation(self, simulation: Simulation) -> Observation:
        hidden = self.positions * self.exclude_current_positions_from_observation
        return {
            "policy": np.concatenate((simulation.qpos[:, hidden:], self.seen_velocity(simulation)), axis=1)
        }

    def observation_names(self, simulation: Simulation) -> EntryNames:
        hidden = self.positions * self.exclude_current_positions_from_observation
        parts = (simulation.names("qpos")[0, hidden:], simulation.names("qvel")[0])
        return {"policy": np.concatenate(parts).tolist()}

    def seen_velocity(self, simulation: Simulation) -> np.ndarray:
        """Velocities as they are observed ``[N, nv]``."""
        return simulation.qvel

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        forward = self.forward_reward_weight * self.forward_speed(simulation)
        return forward, -(self.ctrl_cost_weight * np.square(action).sum(axis=1))

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        scale, model = self.reset_noise_scale, simulation.model
        qpos = model.qpos0 + random.uniform(-scale, scale, model.nq)
        return qpos, random.uniform(-scale, scale, model.nv)


@dataclass(frozen=True, kw_only=True)
class UprightRunner(PlanarRunner):
    """A planar runner that falls: it is paid for staying healthy, and its episode ends when it is not.

    Its coordinates begin with x position, height and torso angle. Velocities are observed within ±10.

    Attributes:
        healthy_reward: paid per healthy step; version v4 also pays it on the step that ends the episode.
        terminate_when_unhealthy: whether a fall ends the episode.
        healthy_z_range: torso height, m.
        healthy_angle_range: torso angle, rad.
    """

    healthy_reward: float
    terminate_when_unhealthy: bool
    healthy_z_range: tuple[float, float]
    healthy_angle_range: tuple[float, float]

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return "forward", "survive", "ctrl"

    def healthy(self, simulation: Simulation) -> np.ndarray:
        """Which simulations are upright ``[N]`` bool."""
        height = inside(simulation.qpos[:, 1], self.healthy_z_range)
        return height & inside(simulation.qpos[:, 2], self.healthy_angle_range)

    def seen_velocity(self, simulation: Simulation) -> np.ndarray:
        return np.clip(simulation.qvel, -10, 10)

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        forward, ctrl = super().terms(simulation, action)
        if self.version == "v4" and self.terminate_when_unhealthy:
            return forward, np.full(simulation.num_envs, self.healthy_reward), ctrl
        return forward, self.healthy(simulation) * self.healthy_reward, ctrl

    @property
    def can_fall(self) -> bool:
        return self.terminate_when_unhealthy

    def terminated(self, simulation: Simulation) -> np.ndarray:
        return ~self.healthy(simulation) & self.terminate_when_unhealthy


def inside(value: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """Whether a value lies strictly between two bounds, elementwise."""
    low, high = bounds
    return (low < value) & (value < high)
