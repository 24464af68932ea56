"""Linear dynamics with a quadratic cost, with noise or without: the regulator whose best policy is linear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation import Cost
from pgrobot.simulation.options import check_options

from .linear_quadratic import LinearQuadratic
from .tables import table
from .world import Layout, Transition, WorldEnvironment

Matrix = Sequence[Sequence[float]]


@dataclass(frozen=True, kw_only=True)
class LQR:
    """``x' = A x + B u + w`` with the reward ``−(xᵀQx + uᵀRu)``; the whole state is observed, actions are unbounded.

    Attributes:
        name: what users call it.
        dynamics, control: ``A`` ``[n][n]`` and ``B`` ``[n][m]``.
        state_cost, action_cost: the diagonals of ``Q`` ``[n]`` and ``R`` ``[m]``.
        noise: standard deviation of ``w`` by dimension ``[n]``.
        start: standard deviation of the first state by dimension, whose mean is zero, ``[n]``.
        max_episode_steps: where episodes are cut; the problem itself has no end.
    """

    name: str
    dynamics: Matrix
    control: Matrix
    state_cost: Sequence[float]
    action_cost: Sequence[float]
    noise: Sequence[float]
    start: Sequence[float]
    max_episode_steps: int

    def __post_init__(self) -> None:
        check_options(self)
        n, m = len(self.state_cost), len(self.action_cost)
        table("dynamics", self.dynamics, (n, n))
        table("control", self.control, (n, m))
        for name in ("state_cost", "action_cost", "noise", "start"):
            least = table(name, getattr(self, name), (m if name == "action_cost" else n,)).min()
            if least < 0.0 or (name == "action_cost" and least == 0.0):
                raise PgrobotError(
                    f"task.{name} has to be above 0, or 0 where nothing is spent or drawn, got {least}."
                )

    def make(self, num_envs: int, costs: Mapping[str, Cost], seed: int, threads: int) -> WorldEnvironment:
        """Build ``num_envs`` regulators; ``threads`` is of no consequence.

        Raises:
            PgrobotError: bad sizes, or a cost: it charges none.
        """
        return WorldEnvironment(Linear(self), num_envs, costs, seed)

    def model(self, discount: float) -> LinearQuadratic:
        """What is known of it under a discount: everything."""
        return LinearQuadratic(
            dynamics=np.array(self.dynamics, dtype=np.float64),
            control=np.array(self.control, dtype=np.float64),
            state_cost=np.diag(self.state_cost).astype(np.float64),
            action_cost=np.diag(self.action_cost).astype(np.float64),
            noise=np.diag(np.square(self.noise)).astype(np.float64),
            start=np.diag(np.square(self.start)).astype(np.float64),
            discount=discount,
        )


class Linear:
    """The dynamics of an ``LQR``."""

    def __init__(self, lqr: LQR) -> None:
        n, m = len(lqr.state_cost), len(lqr.action_cost)
        self.layout = Layout(
            name=lqr.name,
            observation=n,
            action_low=np.full(m, -np.inf),
            action_high=np.full(m, np.inf),
            costs=(),
            max_episode_steps=lqr.max_episode_steps,
            finite=False,
        )
        self._dynamics, self._control = np.array(lqr.dynamics, float), np.array(lqr.control, float)
        self._state_cost, self._action_cost = np.array(lqr.state_cost), np.array(lqr.action_cost)
        self._noise, self._start = np.array(lqr.noise), np.array(lqr.start)

    def start(self, random: np.random.Generator) -> np.ndarray:
        return self._start * random.standard_normal(len(self._start))

    def draw(self, random: np.random.Generator) -> np.ndarray:
        return random.standard_normal(len(self._noise))

    def observe(self, state: np.ndarray) -> np.ndarray:
        return state

    def advance(self, state: np.ndarray, action: np.ndarray, chance: np.ndarray) -> Transition:
        reward = -(np.square(state) @ self._state_cost + np.square(action) @ self._action_cost)
        following = state @ self._dynamics.T + action @ self._control.T + self._noise * chance
        return Transition(following, reward, np.zeros((len(state), 0)), np.zeros(len(state), bool))
