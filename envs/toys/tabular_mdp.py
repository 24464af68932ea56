"""A Markov decision process given by its tables, observed as a one-hot vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from pgrobot.errors import PgrobotError
from pgrobot.simulation import Cost
from pgrobot.simulation.options import check_options

from .cells import bounds, chosen
from .markov import MarkovModel
from .tables import table
from .world import Layout, Transition, WorldEnvironment

Table = Sequence[Sequence[float]]  # [S][A]


@dataclass(frozen=True, kw_only=True)
class TabularMDP:
    """``S`` states, ``A`` actions; action ``k`` is the cell ``[k, k + 1)`` of the action space ``[0, A]``.

    Rewards and costs are paid as expected, without noise of their own.

    Attributes:
        name: what users call it.
        transition: ``P(s'|s, a)`` ``[S][A][S]``; what a row lacks to one is the probability that the episode ends.
        reward: ``[S][A]``.
        costs: ``[S][A]`` by name; a constraint of the same name limits it.
        start: probability of the first state ``[S]``.
        max_episode_steps: its time limit.
        finite: nothing follows the time limit, which then belongs to the problem; else it only cuts episodes.
    """

    name: str
    transition: Sequence[Table]
    reward: Table
    costs: Mapping[str, Table]
    start: Sequence[float]
    max_episode_steps: int
    finite: bool

    def __post_init__(self) -> None:
        check_options(self)
        start = table("start", self.start, (len(self.start),))
        states, actions = len(start), len(self.reward[0])
        transition = table("transition", self.transition, (states, actions, states))
        for name, entries in {"reward": self.reward, **self.costs}.items():
            table(name if name == "reward" else f"costs.{name}", entries, (states, actions))
        if (start < 0.0).any() or abs(start.sum() - 1.0) > 1e-9:
            raise PgrobotError(f"task.start has to be probabilities that sum to one, got {self.start!r}.")
        if (transition < 0.0).any() or (transition.sum(-1) > 1.0 + 1e-9).any():
            raise PgrobotError("task.transition has to have rows of probabilities that sum to at most one.")

    def make(self, num_envs: int, costs: Mapping[str, Cost], seed: int, threads: int) -> WorldEnvironment:
        """Build ``num_envs`` processes; ``threads`` is of no consequence.

        Raises:
            PgrobotError: bad sizes, or a cost that it does not charge.
        """
        return WorldEnvironment(Tables(self), num_envs, costs, seed)

    @cached_property
    def model(self) -> MarkovModel:
        """What is known of it: everything."""
        costs = [np.asarray(entries, dtype=np.float64) for entries in self.costs.values()]
        reward = np.asarray(self.reward, dtype=np.float64)
        return MarkovModel(
            transition=torch.tensor(self.transition, dtype=torch.float64),
            reward=torch.from_numpy(reward),
            cost=torch.from_numpy(np.stack(costs) if costs else np.empty((0, *reward.shape))),
            start=torch.tensor(self.start, dtype=torch.float64),
        )


class Tables:
    """The dynamics of a ``TabularMDP``; a state is its number."""

    def __init__(self, mdp: TabularMDP) -> None:
        low, high = bounds(len(mdp.reward[0]))
        self.layout = Layout(
            name=mdp.name,
            observation=len(mdp.start),
            action_low=low,
            action_high=high,
            costs=tuple(mdp.costs),
            max_episode_steps=mdp.max_episode_steps,
            finite=mdp.finite,
        )
        model = mdp.model
        self._reward = model.reward.numpy()
        self._cost = model.cost.numpy()
        self._start = np.cumsum(mdp.start)[:-1]
        self._successor = np.cumsum(model.transition.numpy(), axis=-1)  # [S, A, S]
        whole = self._successor[..., -1] > 1.0 - 1e-9
        self._successor[whole, -1] = np.inf  # no draw lies beyond: rounding ends no episode

    def start(self, random: np.random.Generator) -> np.ndarray:
        return np.array([float(np.searchsorted(self._start, random.random(), side="right"))])

    def draw(self, random: np.random.Generator) -> np.ndarray:
        return random.random(1)

    def observe(self, state: np.ndarray) -> np.ndarray:
        seen: np.ndarray = np.eye(self.layout.observation)[state[:, 0].astype(np.int64)]
        return seen

    def advance(self, state: np.ndarray, action: np.ndarray, chance: np.ndarray) -> Transition:
        here, choice = state[:, 0].astype(np.int64), chosen(action, self._reward.shape[1])
        successor = (chance >= self._successor[here, choice]).sum(axis=1)
        ended = successor == len(self._reward)
        following = np.where(ended, here, successor).astype(np.float64)
        cost = self._cost[:, here, choice].T
        return Transition(following[:, None], self._reward[here, choice], cost, ended)
