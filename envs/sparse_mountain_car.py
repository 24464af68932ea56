"""Gymnasium's mountain car with continuous actions, paid only on the hill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium

from pgrobot.simulation.adapters import GymnasiumTask


class PaidAtGoal(gymnasium.Wrapper):
    """Pays 1 where an episode ends for good, which is at its goal, and nothing elsewhere."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, _, terminated, truncated, info = self.env.step(action)
        return observation, float(terminated), terminated, truncated, info


@dataclass(frozen=True, kw_only=True)
class SparseMountainCar(GymnasiumTask):
    """A car too weak for its hill, which has to swing up; the return is the share of episodes that reach the goal."""

    def build(self) -> gymnasium.Env:
        return PaidAtGoal(super().build())
