"""A quadrotor that flies between pillars as far as it can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.ranges import at_least
from pgrobot.simulation import Simulation
from pgrobot.simulation.results import as_array
from pgrobot.types import EntryNames, Observation

from .course import SEEN, Course
from .frames import in_body
from .quadrotor import AXES, RADIUS
from .rays import directions, to_circles, to_walls

SHOWN = 3  # pillars that are seen: those that come next
REACH = 4.0  # m, as far as rays look
SWEEP = 60.0  # degrees, to the left and to the right of where it flies


@dataclass(frozen=True, kw_only=True)
class DroneCorridor(Course):
    """Pillars from floor to ceiling stand in its way; the return is the metres flown in time, or until a crash.

    Attributes:
        pillars: how many there are in a round, each drawn in a part of its own of the corridor; or pairs of x and y
            (m), where they stand in all episodes.
        length: m of a round.
        radius: of a pillar, m.
        rays: in how many directions it sees how far its way is free; 0: in none.
        foresight_weight: what a metre is paid by which the way that it flies gets freer, and costs if less free.
    """

    pillars: int | Sequence[Sequence[float]]
    length: float
    radius: float
    rays: Annotated[int, at_least(0)]
    foresight_weight: Annotated[float, at_least(0.0)]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.radius < self.width / 4:
            raise PgrobotError(
                f"task.radius={self.radius} has to lie above 0 and below a quarter of task.width={self.width}, so that "
                "there is a way past a pillar."
            )
        if isinstance(self.pillars, int):
            most = int(self.length / (4.0 * self.clearance))
            if not SHOWN <= self.pillars <= most:
                raise PgrobotError(
                    f"task.pillars={self.pillars} has to lie between {SHOWN} and {most} in {self.length} m: "
                    "one might otherwise stand on the start."
                )
        else:
            self._check(self.fixed)

    @property
    def clearance(self) -> float:
        """From the axis of a pillar to the middle of a drone that touches it, m."""
        return self.radius + RADIUS

    @property
    def period(self) -> float:
        return self.length

    @property
    def count(self) -> int:
        return self.pillars if isinstance(self.pillars, int) else len(self.fixed)

    @cached_property
    def fixed(self) -> np.ndarray:
        """Where the pillars of a list stand, m ``[count, 2]``; raises PgrobotError where it is none."""
        pillars: Any = self.pillars
        rows = isinstance(pillars, Sequence) and not isinstance(pillars, str)
        found = as_array(
            [[*pair] if isinstance(pair, Sequence) else pair for pair in pillars] if rows else pillars
        )
        if found.dtype.kind not in "iuf" or found.ndim != 2 or found.shape[1] != 2 or len(found) < SHOWN:
            raise PgrobotError(
                f"task.pillars has to be a number of pillars, or at least {SHOWN} pairs of x and y, such as "
                "[[2,0],[4,1],[6,-1]]."
            )
        return found.astype(np.float64)

    def _check(self, places: np.ndarray) -> None:
        for x, y in places.tolist():
            if not (0.0 <= x < self.length and abs(y) <= self.width / 2):
                raise PgrobotError(
                    f"task.pillars: the pillar at ({x:g}, {y:g}) stands outside of the corridor, which has x from 0 to "
                    f"below {self.length:g} and y from {-self.width / 2:g} to {self.width / 2:g} m."
                )
            beside = max(abs(y) - self.width / 4, 0.0)
            if np.hypot(min(x, self.length - x), beside) <= self.clearance:
                raise PgrobotError(
                    f"task.pillars: the pillar at ({x:g}, {y:g}) stands on the start, which is x = 0 and y from "
                    f"{-self.width / 4:g} to {self.width / 4:g} m: keep it {self.clearance:g} m away from there."
                )

    def drawn(self, random: np.random.Generator) -> np.ndarray:
        upright = np.full((self.count, 1), self.height / 2)
        if not isinstance(self.pillars, int):
            return np.concatenate((self.fixed, upright), axis=1)
        part, side = self.length / self.pillars, self.width / 2 - self.radius
        x = part * (np.arange(self.pillars) + random.uniform(0.25, 0.75, self.pillars))
        return np.column_stack((x, random.uniform(-side, side, self.pillars), upright))

    def shape(self, body: mujoco.MjsBody, x: float) -> None:
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            pos=[x, 0.0, 0.0],
            size=[self.radius, self.height / 2, 0.0],
            rgba=[0.8, 0.35, 0.2, 0.55],
        )

    def distances(self, simulation: Simulation) -> np.ndarray:
        """How near the last step came to each pillar, from its surface to the drone's, m ``[N, count]``.

        Of the rounds of a pillar the one counts that is nearest to where the step ended.
        """
        begin, end = simulation.before[:, None, :2], simulation.after[:, None, :2]
        to_end = simulation.field("mocap_pos")[..., :2] - end
        to_end[..., 0] -= self.period * np.round(to_end[..., 0] / self.period)
        way = end - begin
        to_begin, squared = to_end + way, np.maximum(np.vecdot(way, way), 1e-300)
        part = np.clip(np.vecdot(to_begin, way) / squared, 0.0, 1.0)[..., None]
        nearest = to_begin - part * way
        distance: np.ndarray = np.sqrt(np.vecdot(nearest, nearest)) - self.clearance
        return distance

    def touching(self, simulation: Simulation) -> np.ndarray:
        return np.asarray((self.distances(simulation) < 0.0).any(axis=1))

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return "progress", "foresight", "spin", "effort"

    def reward_state(self, simulation: Simulation) -> np.ndarray:
        """Where it is and, where that is paid for, how far the way that it flies is free, m ``[N, 3 or 4]``."""
        here = super().reward_state(simulation)
        return np.column_stack((here, self.ahead_free(simulation))) if self.foresight_weight else here

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        gained = simulation.after - simulation.before
        foresight = np.zeros(len(gained))
        if self.foresight_weight:
            # a difference of potentials (Ng et al. 1999), 0 at an end for good: no way of flying raises its sum
            left = np.where(self.terminated(simulation), 0.0, simulation.after[:, 3])
            foresight = self.foresight_weight * (left - simulation.before[:, 3])
        return self.paid(gained[:, 0], simulation), foresight, *self.prices(simulation, action)

    @property
    def angles(self) -> np.ndarray:
        """Of its rays, degrees to the left of where it flies, ``[rays]``."""
        return np.linspace(SWEEP, -SWEEP, self.rays) if self.rays != 1 else np.zeros(1)

    def free(self, simulation: Simulation) -> np.ndarray:
        """How far its way is free along each ray, level and about the direction of its flight, m ``[N, rays]``.

        Whether it passes a pillar on the left or on the right is then a matter of the ray alone, and not of its heading
        and its velocity together.
        """
        return self._free(simulation, directions(flight(simulation), np.deg2rad(self.angles)))

    def ahead_free(self, simulation: Simulation) -> np.ndarray:
        """How far it is free in the direction in which it flies, seen from above, m ``[N]``."""
        velocity = simulation.qvel[:, :2]
        return self._free(simulation, directions(np.arctan2(velocity[:, 1], velocity[:, 0]), np.zeros(1)))[
            :, 0
        ]

    def _free(self, simulation: Simulation, ways: np.ndarray) -> np.ndarray:
        """How far it could fly along unit vectors ``[N, R, 2]`` before it touches a pillar or a wall.

        Returns:
            m, at most ``REACH`` or what there is of half a round, ``[N, R]``.
        """
        here = simulation.qpos
        away = simulation.field("mocap_pos")[..., :2] - here[:, None, :2]
        away[..., 0] -= self.period * np.round(away[..., 0] / self.period)
        walls = to_walls(ways, here[:, 1], self.width / 2)
        reach = min(REACH, self.period / 2 - self.clearance)
        return np.minimum(np.minimum(to_circles(ways, away, self.clearance), walls), reach)

    def observation(self, simulation: Simulation) -> Observation:
        away = self.ahead(simulation, self.clearance)[:, :SHOWN] * (1.0, 1.0, 0.0)
        distances = np.sqrt(np.vecdot(away, away)) - self.clearance
        pillars = in_body(simulation.qpos[:, 3:7], away).reshape(simulation.num_envs, -1)
        seen = (pillars, distances, self.free(simulation), self.seen(simulation))
        return {"policy": np.concatenate(seen, axis=1)}

    def observation_names(self, simulation: Simulation) -> EntryNames:
        pillars = [f"pillar_{k}/{axis}" for k in range(SHOWN) for axis in AXES]
        distances = [f"pillar_{k}/distance" for k in range(SHOWN)]
        return {"policy": [*pillars, *distances, *(f"free/{angle:g}" for angle in self.angles), *SEEN]}


def flight(simulation: Simulation) -> np.ndarray:
    """Where drones fly, seen from above: angles to the left of the course, rad ``[N]``; 0 of one that stands still."""
    return np.arctan2(simulation.qvel[:, 1], simulation.qvel[:, 0])
