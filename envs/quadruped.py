"""A quadruped of the size of a Unitree Go1 that is told how fast to go: forwards, sideways, and about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pgrobot.errors import PgrobotError, nearest, shown
from pgrobot.ranges import is_number
from pgrobot.simulation import Robot, Simulation, Starts, Streams
from pgrobot.types import EntryNames, Observation

from .legs import gravity, in_frame

BOUNDS = {
    "forward": (1.5, "m/s"),
    "sideways": (1.0, "m/s"),
    "turn": (2.0, "rad/s"),
}  # of what may be commanded
TERMS = (
    "velocity", "turn", "alive", "air_time", "bounce", "roll", "tilt", "torque", "action_rate", "pose"
)  # fmt: skip
WIDTH = 0.25  # (m/s)², (rad/s)²: of the kernels of the tracking rewards
SWING = 0.1  # s; a foot that was longer in the air is paid for it
LEGS, JOINTS = 4, 12
BASE = 6  # freedoms of the trunk, before those of the joints
LEAST_COMMAND = 0.1  # below, it stands, and nobody has to lift a foot


@dataclass(frozen=True, kw_only=True)
class QuadrupedVelocity(Robot):
    """Twelve joints that hold positions; the velocity that is commanded is drawn anew now and then.

    Attributes:
        forward, sideways, turn: ranges of the commanded velocity in the frame of the trunk: m/s, m/s and rad/s.
        standing: share of the commands that are to stand still.
        command_steps: least and greatest number of steps that a command lasts.
        weights: of the reward's terms.
        joint_noise: how far joints start from the stance at most, rad.
        least_height: of the trunk, m; below, the robot has fallen.
        most_tilt: of the trunk, rad; beyond, it has fallen.
    """

    forward: Sequence[float]
    sideways: Sequence[float]
    turn: Sequence[float]
    standing: float
    command_steps: Sequence[int]
    weights: Mapping[str, float]
    joint_noise: float
    least_height: float
    most_tilt: float

    models: ClassVar = {"v1": str(Path(__file__).parent / "quadruped.xml")}

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, (most, unit) in BOUNDS.items():
            given = _pair(name, getattr(self, name))
            if not -most <= given[0] <= given[1] <= most:
                raise PgrobotError(
                    f"task.{name}={shown(list(given))} has to be two numbers within ±{most:g} {unit}, the lower first: "
                    "faster than that it cannot go."
                )
        low, high = _pair("command_steps", self.command_steps)
        if not 1 <= low <= high:
            raise PgrobotError(
                f"task.command_steps={shown([low, high])} has to be two whole numbers of at least 1, the lower first."
            )
        if not 0.0 <= self.standing <= 1.0:
            raise PgrobotError(f"task.standing={self.standing} has to be a share, from 0 to 1.")
        for name in self.weights:
            if name not in TERMS:
                raise PgrobotError(f"task.weights has no term '{name}': {nearest(str(name), TERMS)}")
        missing = [name for name in TERMS if name not in self.weights]
        if missing:
            raise PgrobotError(f"task.weights lacks {', '.join(missing)}: 0 leaves a term out.")

    @property
    def reward_terms(self) -> tuple[str, ...]:
        return TERMS

    def stance(self, simulation: Simulation) -> np.ndarray:
        """Positions of the joints where the robot stands, rad ``[12]``: those of the model's first keyframe."""
        stance: np.ndarray = simulation.model.key_qpos[0, -JOINTS:]
        return stance

    def memory(self, simulation: Simulation) -> Mapping[str, int]:
        """The command and its steps, what joints were told last, and for how long feet are in the air."""
        return {"command": 3, "left": 1, "last": JOINTS, "air": LEGS}

    def observation(self, simulation: Simulation) -> Observation:
        qpos, qvel = simulation.qpos, simulation.qvel
        quaternion = qpos[:, 3:7]
        seen = (
            in_frame(quaternion, qvel[:, :3]),
            qvel[:, 3:BASE],
            gravity(quaternion),
            simulation.memory("command"),
            qpos[:, -JOINTS:] - self.stance(simulation),
            qvel[:, BASE:],
            simulation.memory("last"),
        )
        privileged = (qpos[:, 2:3], simulation.memory("air"))
        return {"policy": np.concatenate(seen, axis=1), "privileged": np.concatenate(privileged, axis=1)}

    def observation_names(self, simulation: Simulation) -> EntryNames:
        axes, joints = ("x", "y", "z"), simulation.joints[-JOINTS:]
        names = [f"{part}/{axis}" for part in ("velocity", "angular_velocity", "gravity") for axis in axes]
        names += [f"command/{name}" for name in BOUNDS]
        names += [f"{part}/{joint}" for part in ("qpos", "qvel", "last") for joint in joints]
        return {"policy": names, "privileged": ["height", *(f"air/{foot}" for foot in range(LEGS))]}

    def contacts(self, simulation: Simulation) -> np.ndarray:
        """Which feet touch the ground, ``[N, 4]`` bool."""
        touched: np.ndarray = simulation.field("sensordata")[:, :LEGS] > 0.0
        return touched

    def errors(self, simulation: Simulation) -> tuple[np.ndarray, np.ndarray]:
        """Motion less command: m/s in the plane ``[N, 2]``, and rad/s about the axis of the trunk ``[N]``."""
        command, qvel = simulation.memory("command"), simulation.qvel
        velocity = in_frame(simulation.qpos[:, 3:7], qvel[:, :3])
        return velocity[:, :2] - command[:, :2], qvel[:, 5] - command[:, 2]

    def terms(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, ...]:
        qpos, qvel = simulation.qpos, simulation.qvel
        velocity, turn = self.errors(simulation)
        down, vertical = gravity(qpos[:, 3:7]), in_frame(qpos[:, 3:7], qvel[:, :3])[:, 2]
        air, moving = simulation.memory("air"), self._moves(simulation)
        landed = self.contacts(simulation) & (air > 0.0)
        stance = self.stance(simulation)
        found = {
            "velocity": np.exp(-_squares(velocity) / WIDTH),
            "turn": np.exp(-np.square(turn) / WIDTH),
            "alive": np.ones(simulation.num_envs),
            "air_time": (np.maximum(air - SWING, 0.0) * landed).sum(axis=1) * moving,
            "bounce": -np.square(vertical),
            "roll": -_squares(qvel[:, 3:5]),
            "tilt": -_squares(down[:, :2]),
            "torque": -_squares(simulation.actuator_force),
            "action_rate": -_squares(simulation.applied_ctrl - stance - simulation.memory("last")),
            "pose": -_squares(qpos[:, -JOINTS:] - stance),
        }
        return tuple(self.weights[name] * found[name] for name in TERMS)

    def measured(self, simulation: Simulation) -> Mapping[str, np.ndarray]:
        """How far it is from what was commanded, m/s and rad/s ``[N]``."""
        velocity, turn = self.errors(simulation)
        return {"velocity_error": np.sqrt(_squares(velocity)), "turn_error": np.abs(turn)}

    @property
    def can_fall(self) -> bool:
        return True

    def terminated(self, simulation: Simulation) -> np.ndarray:
        low = simulation.qpos[:, 2] < self.least_height
        fallen: np.ndarray = low | (gravity(simulation.qpos[:, 3:7])[:, 2] > -np.cos(self.most_tilt))
        return fallen

    def forward_speed(self, simulation: Simulation) -> np.ndarray:
        """Speed in the plane, in whatever direction."""
        speed: np.ndarray = np.sqrt(_squares(simulation.qvel[:, :2]))
        return speed

    def initial_states(self, simulation: Simulation, ids: np.ndarray, randoms: Streams) -> Starts:
        model = simulation.model
        qpos, qvel = np.tile(model.key_qpos[0], (len(ids), 1)), np.zeros((len(ids), model.nv))
        qpos[:, -JOINTS:] += randoms.uniform(-self.joint_noise, self.joint_noise, JOINTS)
        heading = randoms.uniform(-np.pi, np.pi, 1)[:, 0]
        qpos[:, 3], qpos[:, 6] = np.cos(heading / 2.0), np.sin(heading / 2.0)
        return Starts(qpos, qvel, memory=self.redrawn(simulation, ids, randoms))

    def remembered(self, simulation: Simulation, action: np.ndarray) -> Mapping[str, np.ndarray]:
        return {
            "left": simulation.memory("left") - 1.0,
            "last": simulation.applied_ctrl - self.stance(simulation),
            "air": np.where(self.contacts(simulation), 0.0, simulation.memory("air") + simulation.dt),
        }

    def due(self, simulation: Simulation) -> np.ndarray:
        due: np.ndarray = simulation.memory("left")[:, 0] <= 0.0
        return due

    def redrawn(self, simulation: Simulation, ids: np.ndarray, randoms: Streams) -> Mapping[str, np.ndarray]:
        low, high = np.array([self.forward, self.sideways, self.turn], dtype=np.float64).T
        command = randoms.uniform(low, high, 3)
        command[randoms.uniform(0.0, 1.0, 1)[:, 0] < self.standing] = 0.0
        least, most = self.command_steps
        return {"command": command, "left": randoms.integers(least, most, 1)}

    def _moves(self, simulation: Simulation) -> np.ndarray:
        """Whether it is told to move, ``[N]`` bool."""
        moves: np.ndarray = _squares(simulation.memory("command")) > LEAST_COMMAND**2
        return moves


def _squares(value: np.ndarray) -> np.ndarray:
    total: np.ndarray = np.square(value).sum(axis=1)
    return total


def _pair(name: str, given: Sequence[float]) -> tuple[float, float]:
    fine = isinstance(given, Sequence) and len(given) == 2 and all(map(is_number, given))
    if not fine:
        raise PgrobotError(f"task.{name} has to be two numbers, the lower first, not {shown(given)}.")
    return given[0], given[1]
