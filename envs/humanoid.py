"""Humanoid: a two-legged body in three dimensions (Gymnasium's Humanoid-v5 and -v4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pgrobot.simulation import Simulation

from .contact import ContactRunner, sum_of_squares
from .humanoid_body import HumanoidBody
from .planar import inside


@dataclass(frozen=True, kw_only=True)
class Humanoid(HumanoidBody, ContactRunner):
    """Paid for the x velocity of its centre of mass; healthy while the root's height is in range.

    Attributes:
        contact_cost_range: bounds of the whole contact cost (v5; v4 has none).
    """

    contact_cost_range: tuple[float, float]

    models: ClassVar = {"v5": "humanoid.xml", "v4": "humanoid.xml"}

    @property
    def pays_for_contact(self) -> bool:
        return self.version == "v5"

    def reward_state(self, simulation: Simulation) -> np.ndarray:
        """Centre of mass in the plane."""
        mass = simulation.model_field("body_mass")
        return (np.einsum("nb,nbj->nj", mass, simulation.field("xipos")) / mass.sum(axis=1, keepdims=True))[
            :, :2
        ]

    def healthy(self, simulation: Simulation) -> np.ndarray:
        return inside(simulation.qpos[:, 2], self.healthy_z_range)

    def effort(self, simulation: Simulation, action: np.ndarray) -> np.ndarray:
        return simulation.ctrl

    def contact_cost(self, simulation: Simulation) -> np.ndarray:
        cost = self.contact_cost_weight * sum_of_squares(simulation.field("cfrc_ext"))
        return np.clip(cost, *self.contact_cost_range)
