"""Policy units to action-space units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from pgrobot.types import EnvironmentSpec

UNBOUNDED = 1e10  # a bound as far away, such as the greatest float32, is no range to explore


@dataclass(frozen=True, slots=True)
class ActionMap:
    """``centre + unit · a``, clipped to the bounds of the space.

    Where the space is bounded on both sides, one policy unit is half its range, whatever torque that is. Elsewhere it
    is one unit of the space, counted from the point of the space that is nearest to 0. An environment may say another
    centre and unit (``Action.mapped``). What is a choice passes as it is, as the nearest whole number from 0 to
    ``choices - 1``.
    """

    centre: np.ndarray  # [A]
    unit: np.ndarray  # [A]
    low: np.ndarray  # [A], as the space has it
    high: np.ndarray  # [A]
    whole: np.ndarray  # indices of those that are choices
    rest: (
        np.ndarray
    )  # [A], what is done before anything is chosen: what is nearest to 0, or the centre that was said

    @classmethod
    def of(cls, spec: EnvironmentSpec) -> Self:
        """The map into an environment's action space."""
        choices = np.array([action.choices for action in spec.actions], dtype=np.int64)
        chosen = choices > 0
        low = np.where(chosen, 0.0, spec.action_low)
        high = np.where(chosen, choices - 1.0, spec.action_high)
        bounded = (low > -UNBOUNDED) & (high < UNBOUNDED)
        left, right = np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)
        centre = np.where(bounded, 0.5 * (left + right), np.clip(0.0, low, high))
        unit = 0.5 * (right - left)
        centre[chosen], unit[chosen] = 0.0, 1.0
        rest = np.clip(0.0, low, high)
        for a, action in enumerate(spec.actions):
            if action.mapped:
                centre[a], unit[a] = action.mapped
                rest[a] = centre[a]
        return cls(centre, unit, low, high, np.flatnonzero(chosen), rest)

    def __call__(self, action: np.ndarray) -> np.ndarray:
        """Map ``[N, A]`` to action-space units, float64, never outside the bounds by as much as a rounding error."""
        mapped: np.ndarray = np.clip(self.centre + self.unit * action, self.low, self.high)
        if self.whole.size:
            mapped[..., self.whole] = np.rint(mapped[..., self.whole])
        return mapped
