"""A course without end: what stands in it is drawn for each episode and comes round again every so many metres."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.ranges import positive
from pgrobot.simulation import Simulation, Starts, Streams

from .bounds import WIDE, Bounds
from .frames import in_body
from .quadrotor import AXES, FELT, RADIUS, Quadrotor

COPIES = range(-1, 9)  # rounds of the course that are drawn; the physics has no end
WALLS = ("left", "right", "floor", "ceiling")
SEEN = (*(f"course/{axis}" for axis in AXES), *(f"wall/{name}" for name in WALLS), *FELT)


@dataclass(frozen=True, kw_only=True)
class Course(Quadrotor):
    """It flies along x between two walls, a floor and a ceiling, and is paid for what it flies.

    It starts about the middle of x = 0. Its walls are its bounds.

    Attributes:
        width: m between the walls.
        height: m between floor and ceiling.
        start_heading: rad between its heading at the start and the course at most; π is any heading.
        paid_speed: m/s of progress up to which it is paid, so that faster is no better.
    """

    width: float
    height: float
    start_heading: float
    paid_speed: Annotated[float, positive]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "height"):
            if getattr(self, name) < 8.0 * RADIUS:
                raise PgrobotError(
                    f"task.{name}={getattr(self, name)} has to be at least {8.0 * RADIUS} m, to fly in."
                )
        if not 0.0 <= self.start_heading <= np.pi:
            raise PgrobotError(
                f"task.start_heading={self.start_heading} has to lie between 0 and π rad, which is any heading."
            )

    @property
    @abstractmethod
    def period(self) -> float:
        """After how many m the course begins anew."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many things stand in a round of it."""

    @abstractmethod
    def drawn(self, random: np.random.Generator) -> np.ndarray:
        """Draw where they stand in the first round, m ``[count, 3]``."""

    @abstractmethod
    def shape(self, body: mujoco.MjsBody, x: float) -> None:
        """Add to a body how one of them looks, ``x`` m further along the course."""

    @property
    def bounds(self) -> Bounds:
        return Bounds((-WIDE, -self.width / 2, 0.0), (WIDE, self.width / 2, self.height))

    def complete(self, spec: mujoco.MjSpec) -> None:
        for k in range(self.count):
            body = spec.worldbody.add_body(name=f"obstacle_{k}", mocap=True)
            for copy in COPIES:
                self.shape(body, copy * self.period)
        reach = len(COPIES) * self.period
        for y in (-self.width / 2, self.width / 2):
            spec.worldbody.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=[0.0, y, 0.02],
                size=[reach, 0.02, 0.02],
                rgba=[0.3, 0.35, 0.4, 1.0],
            )
        camera = spec.camera("track")
        camera.pos = [-1.6, 0.0, 0.7]
        camera.alt.xyaxes = [0.0, -1.0, 0.0, 0.35, 0.0, 0.94]

    def ahead(self, simulation: Simulation, passed: float) -> np.ndarray:
        """From the drone to what stands there, in the order in which it comes, m ``[N, count, 3]``.

        Args:
            simulation: the drones.
            passed: m behind a drone beyond which a thing has been passed, and counts as its copy of the next round.
        """
        away = simulation.field("mocap_pos") - simulation.qpos[:, None, :3]
        away[..., 0] = (away[..., 0] + passed) % self.period - passed
        return np.take_along_axis(away, np.argsort(away[..., :1], axis=1, kind="stable"), axis=1)

    def seen(self, simulation: Simulation) -> np.ndarray:
        """What all courses show, in the order of ``SEEN``: where they lead, how far walls are (m), what it feels."""
        y, z = simulation.qpos[:, 1], simulation.qpos[:, 2]
        along = np.broadcast_to((1.0, 0.0, 0.0), (simulation.num_envs, 3))
        walls = np.stack((self.width / 2 - y, self.width / 2 + y, z, self.height - z), axis=1)
        return np.concatenate((in_body(simulation.qpos[:, 3:7], along), walls, self.felt(simulation)), axis=1)

    def paid(self, progress: np.ndarray, simulation: Simulation) -> np.ndarray:
        """What is paid of the progress of the last step, m ``[N]``."""
        return np.minimum(progress, self.paid_speed * simulation.dt)

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return "progress", "spin", "effort"

    def initial_states(self, simulation: Simulation, ids: np.ndarray, randoms: Streams) -> Starts:
        """Draw courses and starts."""
        rows = [self._start(random) for random in randoms.each]
        qpos, qvel, places = (np.stack(part) for part in zip(*rows, strict=True))
        return Starts(qpos, qvel, {"mocap_pos": places})

    def _start(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        places = self.drawn(random)
        beside = random.uniform((-self.width / 4, self.height / 4), (self.width / 4, 3 * self.height / 4))
        quaternion, qvel = self.moving(random, (-self.start_heading, self.start_heading))
        return np.array([0.0, *beside, *quaternion]), qvel, places
