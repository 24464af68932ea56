"""A T-maze: what is seen first decides what is right last, and nothing between them repeats it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pgrobot.simulation import Cost
from pgrobot.simulation.options import check_options

from .world import Layout, Transition, WorldEnvironment


@dataclass(frozen=True, kw_only=True)
class TMaze:
    """A corridor that is walked by itself, with a sign where it begins and a fork where it ends (after Bakker 2002).

    The first observation shows the side that pays, −1 or 1, all others 0; beside it stands the share of the corridor
    that is walked. The action of the last step turns to the side of its sign, and earns 1 on the right one. So the
    return is the share of right turns: 0.5 is the most without memory, as soon as the corridor is two steps long.

    Attributes:
        name: what users call it.
        length: steps from sign to fork, both included.
    """

    name: str
    length: int

    def __post_init__(self) -> None:
        check_options(self)

    def make(self, num_envs: int, costs: Mapping[str, Cost], seed: int, threads: int) -> WorldEnvironment:
        """Build ``num_envs`` mazes; ``threads`` is of no consequence.

        Raises:
            PgrobotError: bad sizes, or a cost: it charges none.
        """
        return WorldEnvironment(Corridor(self), num_envs, costs, seed)


class Corridor:
    """The dynamics of a ``TMaze``; a state is the side that pays and the steps walked."""

    def __init__(self, maze: TMaze) -> None:
        self._length = maze.length
        self.layout = Layout(
            name=maze.name,
            observation=2,
            action_low=np.full(1, -1.0),
            action_high=np.full(1, 1.0),
            costs=(),
            max_episode_steps=maze.length,
            finite=True,
        )

    def start(self, random: np.random.Generator) -> np.ndarray:
        return np.array([random.choice((-1.0, 1.0)), 0.0])

    def draw(self, random: np.random.Generator) -> np.ndarray:
        return np.zeros(0)

    def observe(self, state: np.ndarray) -> np.ndarray:
        side, walked = state.T
        return np.stack((np.where(walked == 0.0, side, 0.0), walked / self._length), axis=1)

    def advance(self, state: np.ndarray, action: np.ndarray, chance: np.ndarray) -> Transition:
        side, walked = state.T
        following = np.stack((side, walked + 1.0), axis=1)
        reward = ((following[:, 1] == self._length) & (action[:, 0] * side > 0.0)).astype(np.float64)
        return Transition(following, reward, np.zeros((len(state), 0)), np.zeros(len(state), bool))
