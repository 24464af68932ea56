"""The Gaussian bandit: one action, a quadratic reward, and every gradient and variance in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pgrobot.simulation import Cost
from pgrobot.simulation.options import check_options

from .world import Layout, Transition, WorldEnvironment


@dataclass(frozen=True, kw_only=True)
class GaussianBandit:
    """Episodes of one step with the reward ``−(a − centre)²``; nothing is observed (a constant zero).

    The closed forms are those of a policy ``N(mean, std²)``, with ``d = mean − centre`` (Williams 1992 for the
    estimator; the moments of a Gaussian for the rest). Pairs are with respect to ``(mean, log std)``.

    Attributes:
        name: what users call it.
        centre: the best action.
    """

    name: str
    centre: float

    def __post_init__(self) -> None:
        check_options(self)

    def make(self, num_envs: int, costs: Mapping[str, Cost], seed: int, threads: int) -> WorldEnvironment:
        """Build ``num_envs`` bandits; ``threads`` is of no consequence.

        Raises:
            PgrobotError: bad sizes, or a cost: it charges none.
        """
        return WorldEnvironment(self, num_envs, costs, seed)

    @property
    def layout(self) -> Layout:
        """One unbounded action."""
        return Layout(
            name=self.name,
            observation=1,
            action_low=np.full(1, -np.inf),
            action_high=np.full(1, np.inf),
            costs=(),
            max_episode_steps=1,
            finite=True,
        )

    def start(self, random: np.random.Generator) -> np.ndarray:
        del random
        return np.zeros(1)

    def draw(self, random: np.random.Generator) -> np.ndarray:
        del random
        return np.zeros(0)

    def observe(self, state: np.ndarray) -> np.ndarray:
        return state

    def advance(self, state: np.ndarray, action: np.ndarray, chance: np.ndarray) -> Transition:
        del chance
        return Transition(
            state, self.reward(action[:, 0]), np.zeros((len(state), 0)), np.ones(len(state), bool)
        )

    def reward(self, action: np.ndarray) -> np.ndarray:
        """The reward of actions ``[N]``."""
        return -np.square(action - self.centre)

    def value(self, mean: float, std: float) -> float:
        """The expected reward ``−(d² + σ²)``."""
        return -(np.square(mean - self.centre) + np.square(std))

    def gradient(self, mean: float, std: float) -> np.ndarray:
        """The policy gradient ``(−2d, −2σ²)``."""
        return np.array([-2.0 * (mean - self.centre), -2.0 * std**2])

    def natural_gradient(self, mean: float, std: float) -> np.ndarray:
        """The gradient in the metric of the policy's Fisher information ``diag(1/σ², 2)``: ``(−2dσ², −σ²)``."""
        return self.gradient(mean, std) * np.array([std**2, 0.5])

    def variance(self, mean: float, std: float, baseline: float) -> np.ndarray:
        """Variance of ``∇ log π(a) (r(a) − baseline)`` for one action.

        With ``u = d² + baseline``: ``(15σ⁴ + 12σ²d² + u² + 6σ²u) / σ² − 4d²`` for the mean, and
        ``74σ⁴ + 40σ²d² + 2u² + 20σ²u`` for the log-deviation.
        """
        square, distance = std**2, (mean - self.centre) ** 2
        u = distance + baseline
        of_mean = 15 * square**2 + 12 * square * distance + u**2 + 6 * square * u
        of_std = 74 * square**2 + 40 * square * distance + 2 * u**2 + 20 * square * u
        return np.array([of_mean / square - 4 * distance, of_std])

    def best_baselines(self, mean: float, std: float) -> np.ndarray:
        """The constants that minimise the two variances: ``(−(d² + 3σ²), −(d² + 5σ²))``."""
        return -((mean - self.centre) ** 2 + np.array([3.0, 5.0]) * std**2)

    def best_deviation(self, temperature: float) -> float:
        """The deviation that maximises value plus ``temperature`` times entropy: ``σ² = temperature / 2``."""
        return float(np.sqrt(temperature / 2.0))
