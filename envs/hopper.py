"""Hopper: a planar one-legged jumper (Gymnasium's Hopper-v5 and -v4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pgrobot.simulation import Simulation

from .planar import UprightRunner, inside


@dataclass(frozen=True, kw_only=True)
class Hopper(UprightRunner):
    """Three actuated joints; healthy while upright and while every other coordinate stays in range.

    Attributes:
        healthy_state_range: bounds on every position and velocity but x and height.
    """

    healthy_state_range: tuple[float, float]

    models: ClassVar = {"v5": "hopper.xml", "v4": "hopper.xml"}

    def healthy(self, simulation: Simulation) -> np.ndarray:
        position = inside(simulation.qpos[:, 2:], self.healthy_state_range).all(axis=1)
        velocity = inside(simulation.qvel, self.healthy_state_range).all(axis=1)
        return super().healthy(simulation) & position & velocity
