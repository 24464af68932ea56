"""What the checks ask of a world; the worlds themselves are handed to them by the config."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from torch import Tensor

from pgrobot.simulation import Task


class Bandit(Task, Protocol):
    """One real action; pairs are with respect to the policy's mean and log-deviation."""

    def reward(self, action: np.ndarray) -> np.ndarray:
        """The reward of actions ``[N]``."""
        ...

    def value(self, mean: float, std: float) -> float:
        """The expected reward."""
        ...

    def gradient(self, mean: float, std: float) -> np.ndarray:
        """The policy gradient, a pair."""
        ...

    def natural_gradient(self, mean: float, std: float) -> np.ndarray:
        """The natural policy gradient, a pair."""
        ...

    def variance(self, mean: float, std: float, baseline: float) -> np.ndarray:
        """Variance of one sample's gradient, a pair."""
        ...

    def best_baselines(self, mean: float, std: float) -> np.ndarray:
        """Constants that minimise the two variances."""
        ...

    def best_deviation(self, temperature: float) -> float:
        """Optimal deviation under an entropy bonus."""
        ...


class Arms(Task, Protocol):
    """A choice among ``K`` arms by preferences ``[K]``."""

    @property
    def values(self) -> list[float]:
        """Expected reward of each arm."""
        ...

    def gradient(self, preferences: np.ndarray) -> np.ndarray:
        """The policy gradient ``[K]``."""
        ...

    def best_policy(self, temperature: float) -> np.ndarray:
        """Optimal probabilities ``[K]`` under an entropy bonus."""
        ...


class Model(Protocol):
    """A Markov decision process that can be solved for any policy ``[S, A]``."""

    @property
    def transition(self) -> Tensor:
        """``P(s'|s, a)`` ``[S, A, S]``; what a row lacks to one ends the episode."""
        ...

    @property
    def reward(self) -> Tensor:
        """``[S, A]``."""
        ...

    @property
    def start(self) -> Tensor:
        """``[S]``."""
        ...

    def values(self, policy: Tensor, discount: float, amount: Tensor) -> tuple[Tensor, Tensor]:
        """``V`` ``[S]`` and ``Q`` ``[S, A]`` without a time limit."""
        ...

    def finite_values(
        self, policy: Tensor, discount: float, amount: Tensor, horizon: int
    ) -> tuple[Tensor, Tensor]:
        """``V`` ``[H + 1, S]`` and ``Q`` ``[H, S, A]``."""
        ...

    def objective(self, policy: Tensor, discount: float) -> Tensor:
        """The discounted return, a scalar that can be differentiated."""
        ...

    def finite_objective(self, policy: Tensor, discount: float, horizon: int) -> Tensor:
        """The same of ``horizon`` steps."""
        ...

    def occupancy(self, policy: Tensor, discount: float) -> Tensor:
        """``Σ_t γ^t P(s_t = s)``, ``[S]``."""
        ...


class Process(Task, Protocol):
    """A Markov decision process that can be acted in."""

    @property
    def model(self) -> Model:
        """What is known of it."""
        ...


class LinearModel(Protocol):
    """The linear-quadratic regulator under gains ``K [m, n]`` (``u ~ N(−K x, σ²)``) and deviations ``[m]``."""

    @property
    def discount(self) -> float:
        """γ."""
        ...

    @property
    def dynamics(self) -> np.ndarray:
        """``A``."""
        ...

    @property
    def control(self) -> np.ndarray:
        """``B``."""
        ...

    @property
    def state_cost(self) -> np.ndarray:
        """``Q``."""
        ...

    @property
    def action_cost(self) -> np.ndarray:
        """``R``."""
        ...

    @property
    def noise(self) -> np.ndarray:
        """``W``."""
        ...

    @property
    def start(self) -> np.ndarray:
        """Covariance of the first state."""
        ...

    def riccati(self) -> tuple[np.ndarray, np.ndarray]:
        """The optimal gain and its value matrix."""
        ...

    def cost_matrix(self, gain: np.ndarray) -> np.ndarray:
        """``P``."""
        ...

    def value(self, gain: np.ndarray, deviation: np.ndarray, state: np.ndarray) -> np.ndarray:
        """``V`` of states ``[…, n]``."""
        ...

    def finite_gradient(
        self, gain: np.ndarray, deviation: np.ndarray, horizon: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The policy gradient of ``horizon`` steps, in the gain and the log-deviations."""
        ...

    def moments(self, gain: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """``Σ_t γ^t E[x_t x_tᵀ]``, ``[n, n]``."""
        ...

    def gradient(self, gain: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The policy gradient in the gain and the log-deviations."""
        ...

    def natural_gradient(self, gain: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The natural policy gradient in the same."""
        ...


class Regulator(Task, Protocol):
    """A linear-quadratic regulator that can be acted in."""

    def model(self, discount: float) -> LinearModel:
        """What is known of it."""
        ...
