"""A quadrotor that flies through gates."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation import Simulation
from pgrobot.types import EntryNames, Observation

from ..geometry import length
from .course import SEEN, Course
from .frames import in_body
from .quadrotor import AXES, RADIUS

SHOWN = 2  # gates that are seen: those that come next
FRAME = 0.03  # m, half of the thickness of a gate's frame


@dataclass(frozen=True, kw_only=True)
class DroneGates(Course):
    """Square gates stand across its way at equal distances, each somewhere else; to fly past one is a crash.

    The reward is progress towards the middle of the gate that comes next.

    Attributes:
        gates: how many there are in a round.
        spacing: m from one to the next; the first stands half as far from the start.
        opening: m from side to side.
    """

    gates: int
    spacing: float
    opening: float

    def __post_init__(self) -> None:
        super().__post_init__()
        smallest, largest = 4.0 * RADIUS, min(self.width, self.height) / 2
        if not smallest <= self.opening <= largest:
            raise PgrobotError(
                f"task.opening={self.opening} has to lie between {smallest:g}, as the drone is {2 * RADIUS:g} m wide, "
                f"and {largest:g}, half of the room that there is."
            )
        if self.gates < SHOWN:
            raise PgrobotError(f"task.gates={self.gates} has to be at least {SHOWN}: so many are seen.")
        if self.spacing < 1.0:
            raise PgrobotError(f"task.spacing={self.spacing} has to be at least 1 m.")

    @property
    def period(self) -> float:
        return self.gates * self.spacing

    @property
    def count(self) -> int:
        return self.gates

    def drawn(self, random: np.random.Generator) -> np.ndarray:
        x = self.spacing * (np.arange(self.gates) + 0.5)
        margin = self.opening / 2 + FRAME
        y = random.uniform(margin - self.width / 2, self.width / 2 - margin, self.gates)
        return np.column_stack((x, y, random.uniform(margin, self.height - margin, self.gates)))

    def shape(self, body: mujoco.MjsBody, x: float) -> None:
        middle, half = self.opening / 2 + FRAME, self.opening / 2 + 2 * FRAME
        box, orange = mujoco.mjtGeom.mjGEOM_BOX, [0.9, 0.45, 0.1, 1.0]
        for side in (-middle, middle):
            body.add_geom(type=box, pos=[x, side, 0.0], size=[FRAME, FRAME, half], rgba=orange)
            body.add_geom(type=box, pos=[x, 0.0, side], size=[FRAME, half, FRAME], rgba=orange)

    def next_gate(self, simulation: Simulation, places: np.ndarray) -> np.ndarray:
        """The middle of the gate that comes next from places ``[N, 3]``, m ``[N, 3]``."""
        order = np.floor(places[:, 0] / self.spacing + 0.5).astype(np.int64)
        middle = np.take_along_axis(
            simulation.field("mocap_pos"), (order % self.gates)[:, None, None], axis=1
        )[:, 0]
        return np.column_stack(((order + 0.5) * self.spacing, middle[:, 1:]))

    def touching(self, simulation: Simulation) -> np.ndarray:
        """In which it went through the plane of a gate beside its opening, either way."""
        begin, end = simulation.before, simulation.after
        forward = end[:, 0] >= begin[:, 0]
        gate = self.next_gate(simulation, np.where(forward[:, None], begin, end))
        way = end - begin
        crossed = np.floor(begin[:, 0] / self.spacing + 0.5) != np.floor(end[:, 0] / self.spacing + 0.5)
        part = (gate[:, :1] - begin[:, :1]) / np.where(crossed, way[:, 0], 1.0)[:, None]
        beside = np.abs(begin + part * way - gate)[:, 1:].max(axis=1)
        missed: np.ndarray = crossed & (beside > self.opening / 2 - RADIUS)
        return missed

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        gate = self.next_gate(simulation, simulation.before)
        progress = length(gate - simulation.before) - length(gate - simulation.after)
        return self.paid(progress, simulation), *self.prices(simulation, action)

    def observation(self, simulation: Simulation) -> Observation:
        away = self.ahead(simulation, 0.0)[:, :SHOWN]
        gates = in_body(simulation.qpos[:, 3:7], away).reshape(simulation.num_envs, -1)
        return {"policy": np.concatenate((gates, self.seen(simulation)), axis=1)}

    def observation_names(self, simulation: Simulation) -> EntryNames:
        return {"policy": [*(f"gate_{k}/{axis}" for k in range(SHOWN) for axis in AXES), *SEEN]}
