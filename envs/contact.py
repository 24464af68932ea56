"""What Ant and Humanoid share: they stand up in three dimensions, and forces of contact cost them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from pgrobot.simulation import Robot, Simulation


@dataclass(frozen=True, kw_only=True)
class ContactRunner(Robot):
    """A runner in three dimensions that is paid for x velocity and for staying healthy.

    Attributes:
        forward_reward_weight: reward per m/s of forward velocity.
        ctrl_cost_weight: price of the squared action.
        contact_cost_weight: price of the squared forces of contact.
        healthy_reward: paid per healthy step; version v4 also pays it on the step that ends the episode.
        terminate_when_unhealthy: whether leaving ``healthy_z_range`` ends the episode.
        healthy_z_range: height of the root, m.
        reset_noise_scale: size of the noise on the initial state.
        exclude_current_positions_from_observation: hide the x and y position from the policy.
    """

    forward_reward_weight: float
    ctrl_cost_weight: float
    contact_cost_weight: float
    healthy_reward: float
    terminate_when_unhealthy: bool
    healthy_z_range: tuple[float, float]
    reset_noise_scale: float
    exclude_current_positions_from_observation: bool

    @property
    @abstractmethod
    def pays_for_contact(self) -> bool:
        """Whether the reward has the term ``contact``."""

    @property
    def reward_terms(self) -> tuple[str, ...]:
        terms = ("forward", "survive", "ctrl")
        return (*terms, "contact") if self.pays_for_contact else terms

    @abstractmethod
    def healthy(self, simulation: Simulation) -> np.ndarray:
        """Which simulations are upright ``[N]`` bool."""

    @abstractmethod
    def effort(self, simulation: Simulation, action: np.ndarray) -> np.ndarray:
        """What the term ``ctrl`` squares ``[N, A]``."""

    @abstractmethod
    def contact_cost(self, simulation: Simulation) -> np.ndarray:
        """Cost of the forces of contact ``[N]``."""

    def velocity(self, simulation: Simulation) -> np.ndarray:
        """Velocity of the reward_state in the plane over the whole step, m/s ``[N, 2]``."""
        return (simulation.after - simulation.before) / simulation.dt

    def forward_speed(self, simulation: Simulation) -> np.ndarray:
        """Speed in the plane, in whatever direction."""
        return np.sqrt(np.square(self.velocity(simulation)).sum(axis=1))

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        forward = self.forward_reward_weight * self.velocity(simulation)[:, 0]
        if self.version == "v4" and self.terminate_when_unhealthy:
            survive = np.full(simulation.num_envs, self.healthy_reward)
        else:
            survive = self.healthy(simulation) * self.healthy_reward
        ctrl = -(self.ctrl_cost_weight * np.square(self.effort(simulation, action)).sum(axis=1))
        if self.pays_for_contact:
            return forward, survive, ctrl, -self.contact_cost(simulation)
        return forward, survive, ctrl

    def total(self, terms: tuple[np.ndarray, ...]) -> np.ndarray:
        forward, survive, *costs = terms
        return (forward + survive) + sum(costs)

    @property
    def can_fall(self) -> bool:
        return self.terminate_when_unhealthy

    def terminated(self, simulation: Simulation) -> np.ndarray:
        return ~self.healthy(simulation) & self.terminate_when_unhealthy


def flat(field: np.ndarray, first: int = 0) -> np.ndarray:
    """A field ``[N, B, *]`` without its first entries, as one vector per simulation."""
    return field[:, first:].reshape(len(field), -1)


def sum_of_squares(field: np.ndarray) -> np.ndarray:
    """Sum over everything in ``[N, B, *]`` but ``N``."""
    return np.square(flat(field)).sum(axis=1)
