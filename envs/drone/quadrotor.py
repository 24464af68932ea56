"""What all tasks of the quadrotor share: its model, what it feels of itself, and where it may fly."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation import Robot, Simulation
from pgrobot.simulation.model import compiled

from ..geometry import length
from .bounds import NAME, Bounds
from .frames import in_body, yawed

MOTORS = ("front_right", "back_right", "back_left", "front_left")
RADIUS = 0.065  # m, from the middle to where the rotors reach
AXES = ("x", "y", "z")
FELT = (
    *(f"velocity/{axis}" for axis in AXES),
    *(f"up/{axis}" for axis in AXES),
    *(f"spin/{axis}" for axis in AXES),
    *(f"motor/{name}" for name in MOTORS),
)


@dataclass(frozen=True, kw_only=True)
class Quadrotor(Robot):
    """A Crazyflie 2 whose actions are its motors' thrusts: mg/4 (1 + action), which the motors follow with a lag.

    Whatever it observes is in its own frame, so that nothing tells it which way is north. An episode ends when it
    crashes into something or leaves its bounds.

    Attributes:
        spin_weight: price of its angular speed, per rad/s and step.
        effort_weight: price of the squared actions, per step.
        start_speed: m/s of a start in any direction at most.
        start_tilt: rad of a start about any horizontal axis at most.
    """

    spin_weight: float
    effort_weight: float
    start_speed: float
    start_tilt: float

    models: ClassVar = {"v1": str(Path(__file__).parent / "quadrotor.xml")}

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("spin_weight", "effort_weight", "start_speed", "start_tilt"):
            if getattr(self, name) < 0.0:
                raise PgrobotError(f"task.{name}={getattr(self, name)} has to be at least 0.")
        if self.start_tilt > np.pi / 2:
            raise PgrobotError(
                f"task.start_tilt={self.start_tilt} has to be at most π/2, or it starts upside down."
            )

    @property
    @abstractmethod
    def bounds(self) -> Bounds:
        """Where it may fly."""

    @abstractmethod
    def complete(self, spec: mujoco.MjSpec) -> None:
        """Add to the quadrotor what stands in its world."""

    @abstractmethod
    def touching(self, simulation: Simulation) -> np.ndarray:
        """Which simulations touched something in the last step but the floor, ``[N]`` bool."""

    def build_model(self) -> mujoco.MjModel:
        """The quadrotor in its world; raises PgrobotError where the file is none of it."""
        spec = self.build_spec()
        try:
            return spec.compile()
        except ValueError as error:
            raise self._unbuildable(error) from error

    def build_spec(self) -> mujoco.MjSpec:
        model = compiled(self.model_file)
        motors = tuple(model.actuator(a).name for a in range(model.nu))
        joints = [int(kind) for kind in model.jnt_type]
        if motors != MOTORS or joints != [int(mujoco.mjtJoint.mjJNT_FREE)] or model.na != len(MOTORS):
            raise PgrobotError(
                f"the model of {self.title} has to have one free joint and the motors {', '.join(MOTORS)}, each with a "
                f"lag: {self.model_file} has {model.njnt} joints and {', '.join(motors) or 'no motors'}."
            )
        spec = mujoco.MjSpec.from_file(str(self.model_file))
        try:
            spec.add_numeric(name=NAME, data=[*self.bounds.low, *self.bounds.high])
            self.complete(spec)
        except ValueError as error:
            raise self._unbuildable(error) from error
        return spec

    def _unbuildable(self, error: ValueError) -> PgrobotError:
        return PgrobotError(f"MuJoCo cannot add a world to {self.model_file}: {error}")

    @property
    def ending(self) -> str:
        return "crash"

    @property
    def can_fall(self) -> bool:
        return True

    def reward_state(self, simulation: Simulation) -> np.ndarray:
        """Where it is, m ``[N, 3]``."""
        return simulation.qpos[:, :3]

    def forward_speed(self, simulation: Simulation) -> np.ndarray:
        """In any direction."""
        speed: np.ndarray = length((simulation.after - simulation.before)[:, :3]) / simulation.dt
        return speed

    def terminated(self, simulation: Simulation) -> np.ndarray:
        here = simulation.qpos[:, :3]
        crashed: np.ndarray = self.touching(simulation) | (here[:, 2] < RADIUS)
        return crashed | self.bounds.left(here).any(axis=1)

    def felt(self, simulation: Simulation) -> np.ndarray:
        """What it knows of itself, ``FELT [N, 13]``: velocity (m/s), the direction up, spin (rad/s), motors."""
        quaternion, qvel = simulation.qpos[:, 3:7], simulation.qvel
        up = np.broadcast_to((0.0, 0.0, 1.0), (simulation.num_envs, 3))
        own = (
            in_body(quaternion, qvel[:, :3]),
            in_body(quaternion, up),
            qvel[:, 3:6],
            simulation.field("act"),
        )
        return np.concatenate(own, axis=1)

    def prices(self, simulation: Simulation, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What spin and effort cost in the last step, ``[N]`` each."""
        spin = -self.spin_weight * length(simulation.qvel[:, 3:6])
        return spin, -self.effort_weight * np.square(action).sum(axis=1)

    def moving(
        self, random: np.random.Generator, headings: tuple[float, float] = (0.0, 2 * np.pi)
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw an orientation ``[4]`` of a heading between two (rad), tilted and turning, and a velocity ``[6]``."""
        low, high = headings
        heading, axis, tilt = random.uniform((low, 0.0, 0.0), (high, 2 * np.pi, self.start_tilt))
        leaning = np.array(
            [np.cos(tilt / 2), *(np.sin(tilt / 2) * np.array([np.cos(axis), np.sin(axis), 0.0]))]
        )
        direction = random.standard_normal(3)
        speed = random.uniform(0.0, self.start_speed) * direction / length(direction[None])[0]
        return yawed(leaning, heading), np.concatenate((speed, random.uniform(-1.0, 1.0, 3)))
