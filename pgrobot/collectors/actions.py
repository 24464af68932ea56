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
    is one unit of the space, counted from the point of the space that is nearest to 0.
    """

    centre: np.ndarray  # [A]
    unit: np.ndarray  # [A]
    low: np.ndarray  # [A], as the space has it
    high: np.ndarray  # [A]

    @classmethod
    def of(cls, spec: EnvironmentSpec) -> Self:
        """The map into an environment's action space."""
        low, high = spec.action_low, spec.action_high
        bounded = (low > -UNBOUNDED) & (high < UNBOUNDED)
        left, right = np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)
        centre = np.where(bounded, 0.5 * (left + right), np.clip(0.0, low, high))
        return cls(centre, 0.5 * (right - left), low, high)

    def __call__(self, action: np.ndarray) -> np.ndarray:
        """Map ``[N, A]`` to action-space units, float64, never outside the bounds by as much as a rounding error."""
        mapped: np.ndarray = np.clip(self.centre + self.unit * action, self.low, self.high)
        return mapped
