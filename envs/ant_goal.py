"""An ant that walks to goals on flat ground; what it sees of itself is a group of its own, for a low level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError, nearest, shown
from pgrobot.ranges import is_number
from pgrobot.simulation import Robot, Simulation, Starts, Streams
from pgrobot.types import EntryNames, Observation

from .geometry import length
from .legs import gravity, in_frame

BASE = 6  # freedoms of the torso, before those of the joints
REWARDS = ("sparse", "dense")
MARK = "goal"  # the body that shows in films where an episode's goal lies


@dataclass(frozen=True, kw_only=True)
class AntGoal(Robot):
    """Gymnasium's ant; goals are drawn in any direction, so that it has to turn or to walk sideways.

    Attributes:
        reward: ``sparse``: 1 at the goal, which ends the episode, so the return is the share of goals reached; or
            ``dense``: metres per second towards the goal, ``healthy_reward`` per step upright less the control cost, to
            the time limit: at a goal the next one is drawn, around where the ant is.
        near, far: range of the distances at which goals are drawn, m.
        distance: from the goal at which it is reached, m.
        ctrl_cost_weight: price of the squared action.
        healthy_reward: paid per step upright.
        healthy_z_range: height of the torso, m; outside, it has fallen, which ends the episode.
        reset_noise_scale: size of the noise on the initial joints and velocities.
    """

    reward: str
    near: float
    far: float
    distance: float
    ctrl_cost_weight: float
    healthy_reward: float
    healthy_z_range: Sequence[float]
    reset_noise_scale: float

    models: ClassVar = {"v1": "ant.xml"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reward not in REWARDS:
            raise PgrobotError(f"task.reward={self.reward} does not exist: {nearest(self.reward, REWARDS)}")
        if not 0.0 < self.distance < self.near <= self.far < np.inf:
            raise PgrobotError(
                f"task.distance={self.distance:g}, task.near={self.near:g} and task.far={self.far:g} have to rise from "
                "above 0 m, or an episode might begin at its goal."
            )
        height = self.healthy_z_range
        if len(height) != 2 or not all(map(is_number, height)) or not height[0] < height[1]:
            raise PgrobotError(
                f"task.healthy_z_range={shown(list(height))} has to be two heights in m, the lower first."
            )

    def build_model(self) -> mujoco.MjModel:
        return self.build_spec().compile()

    def build_spec(self) -> mujoco.MjSpec:
        """The ant, and where goals last for an episode a disc that marks them."""
        spec = super().build_spec()
        if self.reward == "sparse":
            mark = spec.worldbody.add_body(name=MARK, mocap=True)
            size, red = [self.distance, 0.01, 0.0], [0.8, 0.2, 0.2, 0.6]
            mark.add_site(name=MARK, type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=size, rgba=red)
        return spec

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return ("goal",) if self.reward == "sparse" else ("progress", "survive", "ctrl")

    @property
    def can_fall(self) -> bool:
        return True

    def memory(self, simulation: Simulation) -> Mapping[str, int]:
        """The goal's x and y in the world, m."""
        return {"goal": 2}

    def reward_state(self, simulation: Simulation) -> np.ndarray:
        """The torso in the plane, m ``[N, 2]``."""
        return simulation.qpos[:, :2].copy()

    def observation(self, simulation: Simulation) -> Observation:
        qpos, qvel = simulation.qpos, simulation.qvel
        quaternion = qpos[:, 3:7]
        body = (
            qpos[:, 2:3],
            gravity(quaternion),
            in_frame(quaternion, qvel[:, :3]),
            qvel[:, 3:BASE],
            qpos[:, BASE + 1 :],
            qvel[:, BASE:],
        )
        way = np.concatenate(
            (simulation.memory("goal") - qpos[:, :2], np.zeros((simulation.num_envs, 1))), axis=1
        )
        return {
            "policy": np.concatenate((*body, in_frame(quaternion, way)[:, :2]), axis=1),
            "body": np.concatenate(body, axis=1),
        }

    def observation_names(self, simulation: Simulation) -> EntryNames:
        axes, joints = ("x", "y", "z"), simulation.joints[-8:]
        body = [
            "height",
            *(f"{part}/{a}" for part in ("gravity", "velocity", "angular_velocity") for a in axes),
        ]
        body += [f"{part}/{joint}" for part in ("qpos", "qvel") for joint in joints]
        return {"policy": [*body, "goal/x", "goal/y"], "body": body}

    def forward_speed(self, simulation: Simulation) -> np.ndarray:
        """Speed in the plane over the whole step, in whatever direction."""
        return length(simulation.after - simulation.before) / simulation.dt

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        if self.reward == "sparse":
            return (self.at_goal(simulation).astype(np.float64),)
        goal = simulation.memory("goal")
        nearer = length(goal - simulation.before) - length(goal - simulation.after)
        survive = self.healthy_reward * self.healthy(simulation)
        return nearer / simulation.dt, survive, -self.ctrl_cost_weight * np.square(action).sum(axis=1)

    def at_goal(self, simulation: Simulation) -> np.ndarray:
        """Which simulations are at their goal, ``[N]`` bool."""
        reached: np.ndarray = length(simulation.memory("goal") - simulation.qpos[:, :2]) <= self.distance
        return reached

    def healthy(self, simulation: Simulation) -> np.ndarray:
        """Which simulations are upright, ``[N]`` bool."""
        low, high = self.healthy_z_range
        height = simulation.qpos[:, 2]
        return (low <= height) & (height <= high)

    def fallen(self, simulation: Simulation) -> np.ndarray:
        return ~self.healthy(simulation)

    def terminated(self, simulation: Simulation) -> np.ndarray:
        return self.fallen(simulation) | (self.at_goal(simulation) & (self.reward == "sparse"))

    def measured(self, simulation: Simulation) -> Mapping[str, np.ndarray]:
        """Whether it is at its goal: the mean over steps is the share of steps that reach one."""
        return {"goal": self.at_goal(simulation).astype(np.float64)}

    def initial_states(self, simulation: Simulation, ids: np.ndarray, randoms: Streams) -> Starts:
        model, scale = simulation.model, self.reset_noise_scale
        qpos = np.tile(model.qpos0, (len(ids), 1))
        qpos[:, BASE + 1 :] += randoms.uniform(-scale, scale, model.nq - BASE - 1)
        heading = randoms.uniform(-np.pi, np.pi, 1)[:, 0]
        qpos[:, 3], qpos[:, 6] = np.cos(heading / 2.0), np.sin(heading / 2.0)
        goal = self._drawn(qpos[:, :2], randoms)
        mark = {"mocap_pos": np.concatenate((goal, np.zeros((len(ids), 1))), axis=1)[:, None]}
        return Starts(
            qpos,
            scale * randoms.normal(model.nv),
            state=mark if self.reward == "sparse" else {},
            memory={"goal": goal},
        )

    def due(self, simulation: Simulation) -> np.ndarray:
        return self.at_goal(simulation) & (self.reward == "dense")

    def redrawn(self, simulation: Simulation, ids: np.ndarray, randoms: Streams) -> Mapping[str, np.ndarray]:
        return {"goal": self._drawn(simulation.qpos[ids, :2], randoms)}

    def _drawn(self, around: np.ndarray, randoms: Streams) -> np.ndarray:
        """Goals around places ``[n, 2]``, in any direction."""
        distance, direction = randoms.uniform((self.near, -np.pi), (self.far, np.pi), 2).T
        return around + distance[:, None] * np.stack((np.cos(direction), np.sin(direction)), axis=1)
