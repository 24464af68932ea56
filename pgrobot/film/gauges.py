"""Reads of an environment what a film tells of it: speed, and what its actuators do."""

from __future__ import annotations

import math

import mujoco
import numpy as np

from pgrobot.diagnostics.actuators import FORCES, Actuators
from pgrobot.errors import PgrobotError
from pgrobot.film.scene import Mechanics, mechanics_of
from pgrobot.simulation import BatchEnvironment
from pgrobot.simulation.model import driven_joints
from pgrobot.simulation.strength import actuator_torques, of_model
from pgrobot.simulation.wrappers import innermost
from pgrobot.types import Environment, EnvironmentSpec, Step

SITE = int(mujoco.mjtTrn.mjTRN_SITE)


class Effortmeter:
    """What the actuators of the first environment do: torques where they are known, else the action itself.

    Attributes:
        title: what that is, with its unit.
        parts: what each actuator is called, and the joint that it drives.
    """

    def __init__(self, environment: Environment) -> None:
        self._spec = environment.spec
        self._mechanics = mechanics_of(environment)
        model = self._mechanics.model if self._mechanics else None
        self._gear = model.actuator_gear[:, 0].copy() if model is not None else np.zeros(0)
        count = len(self._spec.actions)
        self._forces = model is not None and model.nu == count and model.nout == count
        self.title = _named(self._spec, model) if self._forces else "action"
        self.parts = tuple(
            {action.name, *driven}
            for action, driven in zip(self._spec.actions, _driven(model, count), strict=True)
        )

    def __call__(self, step: Step, action: np.ndarray) -> np.ndarray:
        """The efforts ``[A]`` after a step in which ``action`` ``[N, A]`` was taken."""
        if not self._forces:
            return action[0].copy()
        measured = step.telemetry.get("torque")
        if measured is not None and measured.shape[1] == len(self._spec.actions):
            return measured[0].copy()
        assert self._mechanics is not None
        return self._mechanics.state().actuator_force * self._gear

    def ranges(self) -> np.ndarray:
        """The least and the most that each can give now, ``[A, 2]``; infinite where it is not known."""
        if not self._forces or self._mechanics is None:
            return _commands(self._spec)
        model = self._mechanics.present()
        return actuator_torques(model, of_model(model))[0]


class Speedometer:
    """How fast the first environment's robot is: forward, as the robot defines it, else its centre of mass.

    Attributes:
        title: what has that speed; empty where nothing tells.
    """

    def __init__(self, environment: Environment) -> None:
        inner = innermost(environment)
        self._mechanics = mechanics_of(environment)
        self._simulation = inner.simulation if isinstance(inner, BatchEnvironment) else None
        self.title = "speed" if self._mechanics else ""
        try:
            if self._simulation is not None:
                _ = self._simulation.forward_speed
                self.title = "forward speed"
        except PgrobotError:  # it has no notion of it
            self._simulation = None

    def __call__(self) -> float:
        """In m/s; NaN where nothing tells."""
        if self._simulation is not None:
            return float(self._simulation.forward_speed[0])
        return _speed(self._mechanics) if self._mechanics else math.nan


def _speed(mechanics: Mechanics) -> float:
    """Of the centre of mass of all that moves."""
    data, model = mechanics.state(), mechanics.present()
    mujoco.mj_fwdPosition(model, data)
    mujoco.mj_comVel(model, data)  # those of the last step are of where it began
    mujoco.mj_subtreeVel(model, data)
    return float(np.linalg.norm(data.subtree_linvel[0]))


def _named(spec: EnvironmentSpec, model: mujoco.MjModel | None) -> str:
    """What the efforts are where they are measured; what drives sites pushes along their first axes."""
    known = Actuators.of(spec, len(spec.actions)).units
    units = [unit for unit in FORCES if unit in known] or [FORCES[int(_pushes(model))]]
    return f"{'torque' if units == ['N·m'] else 'force'}, {' or '.join(units)}"


def _pushes(model: mujoco.MjModel | None) -> bool:
    """Whether all actuators of a model drive sites."""
    return model is not None and bool((model.actuator_trntype == SITE).all())


def _commands(spec: EnvironmentSpec) -> np.ndarray:
    """The least and the most that each action can be, ``[A, 2]``."""
    choices = np.array([action.choices for action in spec.actions], dtype=np.float64)
    most = np.where(choices > 0, np.maximum(choices - 1.0, 1.0), spec.action_high)
    return np.stack((np.where(choices > 0, 0.0, spec.action_low), most), axis=1)


def _driven(model: mujoco.MjModel | None, count: int) -> list[set[str]]:
    """The joint that each actuator drives, by its name."""
    if model is None or model.nu != count:
        return [set() for _ in range(count)]
    return [{joint} if joint else set() for joint in driven_joints(model)]
