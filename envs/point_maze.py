"""A ball that finds its way through a maze to a goal (after D4RL's and Gymnasium-Robotics' PointMaze)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation import Robot, Simulation
from pgrobot.simulation.model import specified
from pgrobot.types import EntryNames, Observation

from .geometry import length
from .maze_map import MazeMap

JOINTS = ("x", "y", "goal_x", "goal_y")
SPREAD = 0.25  # m, by which starts and goals lie beside the middle of their cells at most, in x and in y
CLOSEST = 1.0 - 2 * SPREAD  # m between places in two cells
LIMITS = {"u": 300, "medium": 600, "large": 800}  # steps of the simulation, as Gymnasium-Robotics has them
STEPS_PER_CELL = 50  # of it, along the longest way through another maze
HEIGHT = 0.4  # m, of a wall
REWARDS = ("sparse", "dense")


@dataclass(frozen=True, kw_only=True)
class PointMaze(Robot):
    """Two forces push a ball of 4.2 kg to a goal that it sees; walls have to be found out.

    Start and goal are drawn uniformly from the cells of the maze, in two different ones, and lie up to 0.25 m beside
    their middles. The positions of the model are the ball's and the goal's.

    Attributes:
        maze: ``u``, ``medium`` or ``large``, or rows of text as ``MazeMap`` describes them.
        reward: ``sparse``: 1 at the goal, which ends the episode, so the return is the share of goals reached; or
            ``dense``: exp(−distance in m) at every step, to the time limit, since an end would take the rest away.
        distance: from the goal at which it is reached, m.
    """

    maze: str | Sequence[str]
    reward: str
    distance: float

    models: ClassVar = {"v1": str(Path(__file__).parent / "point_maze.xml")}

    def __post_init__(self) -> None:
        own_limit = self.max_episode_steps == 0
        if own_limit:  # until it is known that the other options are what they have to be
            object.__setattr__(self, "max_episode_steps", 1)
        super().__post_init__()
        _ = self.map  # refuses what is none
        if self.reward not in REWARDS:
            raise PgrobotError(f"task.reward={self.reward} does not exist: {nearest(self.reward, REWARDS)}")
        if not 0.0 < self.distance < CLOSEST:
            raise PgrobotError(
                f"task.distance={self.distance} has to lie above 0 and below {CLOSEST} m, or an episode might begin at "
                "its goal."
            )
        if own_limit:
            steps = LIMITS.get(str(self.maze)) or STEPS_PER_CELL * self.map.longest
            object.__setattr__(self, "max_episode_steps", math.ceil(steps / self.frame_skip))

    @cached_property
    def map(self) -> MazeMap:
        """The maze; raises PgrobotError where there is none of the name, or the rows are no map of one."""
        return MazeMap.of(self.maze)

    def build_model(self) -> mujoco.MjModel:
        """The ball's model with the walls, the place of the goal and a camera above."""
        spec = self.build_spec()
        try:
            return spec.compile()
        except ValueError as error:
            raise self._unbuildable(error) from error

    def build_spec(self) -> mujoco.MjSpec:
        spec = specified(self.model_file)
        found = [joint.name for joint in spec.joints if joint.type == mujoco.mjtJoint.mjJNT_SLIDE]
        if tuple(found) != JOINTS or len(spec.joints) != len(JOINTS):
            raise PgrobotError(
                f"the model of {self.title} has to have the slide joints {', '.join(JOINTS)}, of ball and goal, and no "
                f"others: {self.model_file} has {', '.join(joint.name for joint in spec.joints) or 'none'}."
            )
        try:
            self._complete(spec)
        except ValueError as error:
            raise self._unbuildable(error) from error
        return spec

    def _unbuildable(self, error: ValueError) -> PgrobotError:
        return PgrobotError(f"MuJoCo cannot add a maze to {self.model_file}: {error}")

    def _complete(self, spec: mujoco.MjSpec) -> None:
        box, disc = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER
        grey, red = [0.45, 0.5, 0.55, 1.0], [0.8, 0.2, 0.2, 0.6]
        for middle, half in self.map.walls():
            spec.worldbody.add_geom(type=box, pos=[*middle, HEIGHT / 2], size=[*half, HEIGHT / 2], rgba=grey)
        spec.joint("goal_x").parent.add_site(
            name="goal", type=disc, size=[self.distance, 0.01, 0.0], pos=[0.0, 0.0, -0.08], rgba=red
        )
        size = max(len(self.map.rows), len(self.map.rows[0]))
        spec.worldbody.add_camera(name="track", pos=[0.0, 0.0, 1.3 * size], fovy=45.0)

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return ("goal",)

    @property
    def ending(self) -> str:
        return "goal" if self.reward == "sparse" else ""

    def reward_state(self, simulation: Simulation) -> np.ndarray:
        """Ball from goal, m ``[N, 2]``."""
        return simulation.qpos[:, :2] - simulation.qpos[:, 2:]

    def observation(self, simulation: Simulation) -> Observation:
        qpos, qvel = simulation.qpos, simulation.qvel
        return {"policy": np.concatenate((qpos[:, :2], qvel[:, :2], qpos[:, 2:]), axis=1)}

    def observation_names(self, simulation: Simulation) -> EntryNames:
        return {"policy": ["qpos/x", "qpos/y", "qvel/x", "qvel/y", "goal/x", "goal/y"]}

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        if self.reward == "dense":
            return (np.exp(-length(simulation.after)),)
        return (self.at_goal(simulation).astype(np.float64),)

    def terminated(self, simulation: Simulation) -> np.ndarray:
        return self.at_goal(simulation) & (self.reward == "sparse")

    def at_goal(self, simulation: Simulation) -> np.ndarray:
        """In which simulations the ball is at its goal, ``[N]`` bool."""
        reached: np.ndarray = length(simulation.after) <= self.distance
        return reached

    def initial_state(
        self, simulation: Simulation, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        pairs = self.map.pairs
        start, goal = pairs[random.integers(len(pairs))]
        places = np.concatenate((self.map.centre(start), self.map.centre(goal)))
        return places + random.uniform(-SPREAD, SPREAD, 4), np.zeros(4)
