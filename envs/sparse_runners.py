"""Runners that are paid for where they get, and not for how: HalfCheetah beyond a place, Hopper by the metre."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation import Simulation

from .half_cheetah import HalfCheetah
from .hopper import Hopper


@dataclass(frozen=True, kw_only=True)
class SparseHalfCheetah(HalfCheetah):
    """HalfCheetah, paid 1 in every step that ends beyond a place (after Houthooft et al. 2016, arXiv 1605.09674).

    What the dense task pays is added at its weights, which are 0 by default.

    Attributes:
        goal: the place, m along x, in front of where it starts.
        end_at_goal: whether reaching it ends the episode, so that the return is the share of goals reached.
    """

    goal: float
    end_at_goal: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.goal < math.inf:
            raise PgrobotError(
                f"task.goal={self.goal:g} has to be a number of metres above 0, where it starts"
            )

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return "goal", *super().reward_terms

    @property
    def ending(self) -> str:
        return "goal" if self.end_at_goal else ""

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        return self.beyond(simulation).astype(np.float64), *super().terms(simulation, action)

    def terminated(self, simulation: Simulation) -> np.ndarray:
        return self.beyond(simulation) & self.end_at_goal

    def measured(self, simulation: Simulation) -> Mapping[str, np.ndarray]:
        """Whether it is beyond the goal: the mean over steps is the share of steps that are."""
        return {"goal": self.beyond(simulation).astype(np.float64)}

    def beyond(self, simulation: Simulation) -> np.ndarray:
        """Which simulations are beyond the goal after the step, ``[N]`` bool."""
        found: np.ndarray = simulation.after[:, 0] > self.goal
        return found


@dataclass(frozen=True, kw_only=True)
class SparseHopper(Hopper):
    """Hopper, paid 1 for every further metre that it passes for the first time in its episode.

    What the dense task pays is added at its weights, which are 0 by default.
    """

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return "metre", *super().reward_terms

    def memory(self, simulation: Simulation) -> Mapping[str, int]:
        """The metres passed so far."""
        return {"metres": 1}

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        further = self._metres(simulation) - simulation.memory("metres")
        return further[:, 0], *super().terms(simulation, action)

    def remembered(self, simulation: Simulation, action: np.ndarray) -> Mapping[str, np.ndarray]:
        return {"metres": self._metres(simulation)}

    def _metres(self, simulation: Simulation) -> np.ndarray:
        """Whole metres passed after the step, ``[N, 1]``."""
        return np.maximum(np.floor(simulation.after[:, :1]), simulation.memory("metres"))
