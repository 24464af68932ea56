"""The body that Humanoid and HumanoidStandup share: what it sees and how it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pgrobot.simulation import Robot, Simulation
from pgrobot.types import EntryNames, Observation

from .contact import flat


@dataclass(frozen=True, kw_only=True)
class HumanoidBody(Robot):
    """Seventeen actuated joints, seen with the inertia, velocity and forces of every body.

    Version v4 always sees all of them, and also the constant zeros of the world and the root, which v5 leaves out.

    Attributes:
        reset_noise_scale: size of the uniform noise on the initial state.
        exclude_current_positions_from_observation: hide the x and y position from the policy.
        include_cinert_in_observation: v5: show the inertia of each body about the centre of mass.
        include_cvel_in_observation: v5: show the velocity of each body about the centre of mass.
        include_qfrc_actuator_in_observation: v5: show the actuators' forces on each joint.
        include_cfrc_ext_in_observation: v5: show the external forces on each body.
    """

    reset_noise_scale: float
    exclude_current_positions_from_observation: bool
    include_cinert_in_observation: bool
    include_cvel_in_observation: bool
    include_qfrc_actuator_in_observation: bool
    include_cfrc_ext_in_observation: bool

    @property
    def needs_contact_forces(self) -> bool:
        return True

    def observation(self, simulation: Simulation) -> Observation:
        return {"policy": np.concatenate(self._parts(simulation.field), axis=1)}

    def observation_names(self, simulation: Simulation) -> EntryNames:
        return {"policy": np.concatenate(self._parts(simulation.names), axis=1)[0].tolist()}

    def _parts(self, read: Callable[[str], np.ndarray]) -> list[np.ndarray]:
        """What is seen, by what reads a field: its values or its names."""
        everything = self.version == "v4"
        world, root = (0, 0) if everything else (1, 6)
        parts = [read("qpos")[:, 2 * self.exclude_current_positions_from_observation :], read("qvel")]
        if everything or self.include_cinert_in_observation:
            parts.append(flat(read("cinert"), world))
        if everything or self.include_cvel_in_observation:
            parts.append(flat(read("cvel"), world))
        if everything or self.include_qfrc_actuator_in_observation:
            parts.append(read("qfrc_actuator")[:, root:])
        if everything or self.include_cfrc_ext_in_observation:
            parts.append(flat(read("cfrc_ext"), world))
        return parts

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        scale, model = self.reset_noise_scale, simulation.model
        qpos = model.qpos0 + random.uniform(-scale, scale, model.nq)
        return qpos, random.uniform(-scale, scale, model.nv)
