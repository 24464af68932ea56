"""Policy units to action-space units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from pgrobot.types import EnvironmentSpec


@dataclass(frozen=True, slots=True)
class ActionMap:
    """``centre + half_range · clip(a, ±1)`` where the space is bounded, the identity where it is not.

    One policy unit is then half the range of every actuator, whatever torque that is.
    """

    centre: np.ndarray  # [A]
    half_range: np.ndarray  # [A]
    bound: np.ndarray  # [A], 1 or infinity

    @classmethod
    def of(cls, spec: EnvironmentSpec) -> Self:
        """The map into an environment's action space."""
        bounded = np.isfinite(spec.action_low) & np.isfinite(spec.action_high)
        low = np.where(bounded, spec.action_low, -1.0)
        high = np.where(bounded, spec.action_high, 1.0)
        return cls(0.5 * (low + high), 0.5 * (high - low), np.where(bounded, 1.0, np.inf))

    def __call__(self, action: np.ndarray) -> np.ndarray:
        """Map ``[N, A]`` to action-space units, float64."""
        clipped = np.clip(action, -self.bound, self.bound)
        mapped: np.ndarray = self.centre + self.half_range * clipped
        return mapped
