"""Where a drone may fly: a box of the world, which its compiled model tells to whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError

NAME = "bounds"  # of the six numbers in the model
WIDE = 1e6  # m, what stands for no bound


@dataclass(frozen=True)
class Bounds:
    """A box, m, whose sides are parallel to the world's axes."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    @classmethod
    def of(cls, constraint: str, model: mujoco.MjModel) -> Self:
        """Those that a model has.

        Raises:
            PgrobotError: it has none, so that it cannot be constrained so.
        """
        if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_NUMERIC, NAME) < 0:
            raise PgrobotError(
                f"constraint {constraint!r} needs a task with bounds to fly in, such as task=drone_hover: leave it out "
                f"with ~constraint.{constraint}."
            )
        low, high = model.numeric(NAME).data.reshape(2, 3).tolist()
        return cls(tuple(low), tuple(high))

    def left(self, places: np.ndarray) -> np.ndarray:
        """Along which axes places ``[N, 3]`` lie outside, ``[N, 3]`` bool."""
        out: np.ndarray = (places < self.low) | (places > self.high)
        return out
