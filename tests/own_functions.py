"""Functions as a user writes them, to be added to a robot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pgrobot.envs.hopper import Hopper
from pgrobot.simulation import Simulation
from pgrobot.types import Observation


def effort(simulation: Simulation, action: np.ndarray, power: float) -> np.ndarray:
    return (np.abs(action) ** power).sum(axis=1)


def speed(simulation: Simulation) -> np.ndarray:
    return simulation.qvel[:, 0]


def place(simulation: Simulation, body: str) -> np.ndarray:
    return simulation.field("xpos")[:, simulation.body(body)]


def low(simulation: Simulation, height: float) -> np.ndarray:
    return simulation.qpos[:, 1] < height


def missing(simulation: Simulation, height: float) -> np.ndarray:
    """NaN in every simulation that is lower than ``height``, where it stands still for the first time."""
    return np.where(simulation.qpos[:, 1] < height, np.nan, 0.0)


def entry(simulation: Simulation, height: float) -> np.ndarray:
    return missing(simulation, height)[:, None]


def overflows(simulation: Simulation, share: float) -> np.ndarray:
    """More than a float32 holds, in about this share of all states."""
    return np.where(simulation.qpos[:, 1] * 1e6 % 1.0 < share, 1e200, 0.0)


def unplugged(simulation: Simulation) -> np.ndarray:
    """A sensor that is not plugged in."""
    return np.zeros((simulation.num_envs, 1))


def shove(simulation: Simulation, what: str) -> np.ndarray:
    """Tries to lift the robot instead of looking at it."""
    array = simulation.by_substep("qpos") if what == "by_substep" else getattr(simulation, what)
    array[:] = 1.25
    return np.zeros(simulation.num_envs)


def forces(simulation: Simulation, action: np.ndarray) -> np.ndarray:
    """Tries to change what was done."""
    action[:] = 0.0
    return np.zeros(simulation.num_envs)


def misnamed(simulation: Simulation, actions: np.ndarray) -> np.ndarray:
    """Asks for the action by another name."""
    return actions[:, 0]


def raises(simulation: Simulation) -> np.ndarray:
    return simulation.qpos[:, 99]


def alone() -> float:
    return 0.0


def heavy(simulation: Simulation, weight: float) -> np.ndarray:
    return weight * simulation.qvel[:, 0]


def nothing(simulation: Simulation) -> np.ndarray:
    return np.zeros((simulation.num_envs, 0))


@dataclass(frozen=True, kw_only=True)
class Unnamed(Hopper):
    """Its entries are numbered, as it says nothing of their names."""

    def observation(self, simulation: Simulation) -> Observation:
        return super().observation(simulation)


def pushed(simulation: Simulation, body: str) -> np.ndarray:
    """Torque and force of the contacts on a body."""
    return simulation.field("cfrc_ext")[:, simulation.body(body)]


def pace(simulation: Simulation) -> np.ndarray:
    """The forward speed, [N]."""
    return simulation.forward_speed[:, None]


@dataclass(frozen=True, kw_only=True)
class Measuring(Hopper):
    """A hopper that tells how high it is."""

    def measured(self, simulation: Simulation) -> Mapping[str, np.ndarray]:
        return {"height": simulation.qpos[:, 1]}
