"""Ant: a four-legged walker (Gymnasium's Ant-v5 and -v4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pgrobot.simulation import Simulation
from pgrobot.types import EntryNames, Observation

from .contact import ContactRunner, flat, sum_of_squares


@dataclass(frozen=True, kw_only=True)
class Ant(ContactRunner):
    """Eight actuated joints; healthy while the torso's height is in range.

    Attributes:
        main_body: name or index of the body whose velocity is rewarded.
        contact_force_range: bounds to which forces of contact are clipped, N and N·m.
        include_cfrc_ext_in_observation: v5: show the policy the forces of contact.
        use_contact_forces: v4: price the forces of contact and show them to the policy.
    """

    main_body: int | str
    contact_force_range: tuple[float, float]
    include_cfrc_ext_in_observation: bool
    use_contact_forces: bool

    models: ClassVar = {"v5": "ant.xml", "v4": "ant.xml"}

    @property
    def pays_for_contact(self) -> bool:
        return self.version == "v5" or self.use_contact_forces

    @property
    def needs_contact_forces(self) -> bool:
        return self.pays_for_contact

    @property
    def sees_contact_forces(self) -> bool:
        """Whether the policy is shown the forces of contact."""
        return self.use_contact_forces if self.version == "v4" else self.include_cfrc_ext_in_observation

    @property
    def first_body(self) -> int:
        """The first body whose forces are shown: v5 leaves out the world's, which are none."""
        return 0 if self.version == "v4" else 1

    def reward_state(self, simulation: Simulation) -> np.ndarray:
        return simulation.field("xpos")[:, simulation.body(self.main_body), :2].copy()

    def healthy(self, simulation: Simulation) -> np.ndarray:
        low, high = self.healthy_z_range
        height = simulation.qpos[:, 2]
        return (low <= height) & (height <= high)

    def effort(self, simulation: Simulation, action: np.ndarray) -> np.ndarray:
        return action

    def contact_forces(self, simulation: Simulation) -> np.ndarray:
        """Clipped external forces on every body ``[N, B, 6]``."""
        return np.clip(simulation.field("cfrc_ext"), *self.contact_force_range)

    def contact_cost(self, simulation: Simulation) -> np.ndarray:
        return self.contact_cost_weight * sum_of_squares(self.contact_forces(simulation))

    def observation(self, simulation: Simulation) -> Observation:
        hidden = 2 * self.exclude_current_positions_from_observation
        parts = [simulation.qpos[:, hidden:], simulation.qvel]
        if self.sees_contact_forces:
            parts.append(flat(self.contact_forces(simulation), self.first_body))
        return {"policy": np.concatenate(parts, axis=1)}

    def observation_names(self, simulation: Simulation) -> EntryNames:
        hidden = 2 * self.exclude_current_positions_from_observation
        parts = [simulation.names("qpos")[:, hidden:], simulation.names("qvel")]
        if self.sees_contact_forces:
            parts.append(flat(simulation.names("cfrc_ext"), self.first_body))
        return {"policy": np.concatenate(parts, axis=1)[0].tolist()}

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        scale, model = self.reset_noise_scale, simulation.model
        qpos = model.qpos0 + random.uniform(-scale, scale, model.nq)
        return qpos, scale * random.standard_normal(model.nv)
