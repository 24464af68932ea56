"""The softmax bandit: K arms, and a policy that has a preference for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from pgrobot.errors import PgrobotError
from pgrobot.simulation import Cost
from pgrobot.simulation.options import check_options

from .cells import bounds, chosen
from .world import Layout, Transition, WorldEnvironment


@dataclass(frozen=True, kw_only=True)
class SoftmaxBandit:
    """Episodes of one step; arm ``k`` is the cell ``[k, k + 1)`` of the action space ``[0, K]``.

    Nothing is observed (a constant zero). The closed forms are those of the policy ``π ∝ exp(preference)`` (Sutton and
    Barto 2018, section 2.8).

    Attributes:
        name: what users call it.
        values: the expected reward of each arm, ``K`` of them.
        noise: standard deviation of the reward.
    """

    name: str
    values: Sequence[float]
    noise: float

    def __post_init__(self) -> None:
        check_options(self)
        if len(self.values) < 2 or not np.isfinite(self.values).all():
            raise PgrobotError(f"task.values has to be two finite numbers or more, got {self.values!r}.")
        if self.noise < 0.0:
            raise PgrobotError(f"task.noise has to be at least 0, got {self.noise}.")

    def make(self, num_envs: int, costs: Mapping[str, Cost], seed: int, threads: int) -> WorldEnvironment:
        """Build ``num_envs`` bandits; ``threads`` is of no consequence.

        Raises:
            PgrobotError: bad sizes, or a cost: it charges none.
        """
        return WorldEnvironment(self, num_envs, costs, seed)

    @property
    def layout(self) -> Layout:
        """One action, in cells."""
        low, high = bounds(len(self.values))
        return Layout(
            name=self.name,
            observation=1,
            action_low=low,
            action_high=high,
            costs=(),
            max_episode_steps=1,
            finite=True,
        )

    def start(self, random: np.random.Generator) -> np.ndarray:
        del random
        return np.zeros(1)

    def draw(self, random: np.random.Generator) -> np.ndarray:
        return random.standard_normal(1)

    def observe(self, state: np.ndarray) -> np.ndarray:
        return state

    def advance(self, state: np.ndarray, action: np.ndarray, chance: np.ndarray) -> Transition:
        expected = np.asarray(self.values)[chosen(action, len(self.values))]
        reward = expected + self.noise * chance[:, 0]
        return Transition(state, reward, np.zeros((len(state), 0)), np.ones(len(state), bool))

    def gradient(self, preferences: np.ndarray) -> np.ndarray:
        """The policy gradient with respect to the preferences ``[K]``: ``π_k (q_k − Σ π q)``."""
        probability = softmax(preferences)
        values = np.asarray(self.values)
        return probability * (values - probability @ values)

    def best_policy(self, temperature: float) -> np.ndarray:
        """What maximises value plus ``temperature`` times entropy: ``π ∝ exp(q / temperature)``, ``[K]``."""
        best: np.ndarray = softmax(np.asarray(self.values) / temperature)
        return best
