"""Costs that any robot can be constrained by, each a count of what violates its limit in a step.

All are indicators per part (a joint, an actuator, the body whose speed it is), so a step's cost is the number of
parts in violation and decomposes exactly into them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import mujoco
import numpy as np
import torch

from pgrobot.errors import PgrobotError
from pgrobot.simulation.simulation import Simulation
from pgrobot.types import State

HINGE, SLIDE = int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE)
JOINT_DRIVES = (int(mujoco.mjtTrn.mjTRN_JOINT), int(mujoco.mjtTrn.mjTRN_JOINTINPARENT))
FIXED_GAIN, NO_BIAS = int(mujoco.mjtGain.mjGAIN_FIXED), int(mujoco.mjtBias.mjBIAS_NONE)


class Violations:
    """A bound cost without memory: which parts violate their limit now."""

    def __init__(self, parts: tuple[str, ...], violated: Callable[[], np.ndarray]) -> None:
        self.parts = parts
        self.highest = float(len(parts))
        self._violated = violated

    def __call__(self) -> np.ndarray:
        """1 where part ``j`` of simulation ``n`` violates its limit, else 0: ``[N, J]``."""
        return self._violated().astype(np.float64)

    def reset(self, ids: np.ndarray) -> None:
        """Nothing is remembered."""

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing was remembered."""


@dataclass(frozen=True)
class Speed:
    """1 per step in which the robot's forward speed, as the robot defines it, exceeds ``threshold`` (m/s).

    Safety-Gymnasium's velocity cost (Ji et al. 2023).
    """

    threshold: float

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError for a robot without a forward speed or without a published threshold."""
        _ = simulation.forward_speed  # raises where there is none
        _check_positive("speed.cost.threshold", self.threshold)
        body = simulation.model.body(1).name or "forward_speed"
        return Violations((body,), lambda: (simulation.forward_speed > self.threshold)[:, None])


@dataclass(frozen=True)
class Torque:
    """Driven joints whose torque exceeds ``fraction`` of the most that their actuators can give, in N·m (N)."""

    fraction: float

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError where an actuator drives no single joint or has no greatest force."""
        if not 0.0 < self.fraction < 1.0:
            raise PgrobotError(f"constraint.torque.cost.fraction={self.fraction} has to lie between 0 and 1")
        drive = Drive.of("torque", simulation)
        limit = self.fraction * drive.greatest_torque(simulation)
        torque = drive.columns(simulation.field("qfrc_actuator"))
        return Violations(drive.joints, lambda: np.abs(torque()) > limit)


@dataclass(frozen=True)
class JointVelocity:
    """Driven joints that move faster than ``limit``: rad/s, for a slide m/s."""

    limit: float

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError where an actuator drives no single joint."""
        _check_positive("joint_velocity.cost.limit", self.limit)
        drive = Drive.of("joint_velocity", simulation)
        velocity = drive.columns(simulation.qvel)
        return Violations(drive.joints, lambda: np.abs(velocity()) > self.limit)


@dataclass(frozen=True)
class Power:
    """Driven joints whose mechanical power ``|torque · velocity|``, given or taken, exceeds ``limit`` (W)."""

    limit: float

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError where an actuator drives no single joint."""
        _check_positive("power.cost.limit", self.limit)
        drive = Drive.of("power", simulation)
        torque, velocity = drive.columns(simulation.field("qfrc_actuator")), drive.columns(simulation.qvel)
        return Violations(drive.joints, lambda: np.abs(torque() * velocity()) > self.limit)


@dataclass(frozen=True)
class JointLimit:
    """Limited hinges and slides nearer to an end of their range than ``margin`` of that range, or beyond it."""

    margin: float

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError where no joint is limited."""
        if not 0.0 <= self.margin < 0.5:
            raise PgrobotError(f"constraint.joint_limit.cost.margin={self.margin} has to lie in [0, 0.5)")
        model = simulation.model
        ids = np.flatnonzero(model.jnt_limited.astype(bool) & np.isin(model.jnt_type, (HINGE, SLIDE)))
        if not ids.size:
            raise PgrobotError("constraint 'joint_limit' needs a limited hinge or slide: this robot has none")
        low, high = model.jnt_range[ids].T
        reach = self.margin * (high - low)
        low, high = low + reach, high - reach
        position = _picked(simulation.qpos, model.jnt_qposadr[ids])

        def violated() -> np.ndarray:
            now = position()
            return (now < low) | (now > high)

        return Violations(tuple(simulation.joints[i] for i in ids), violated)


@dataclass(frozen=True)
class ActionRate:
    """Actuators whose command moves by more than ``limit`` of its range from one step to the next."""

    limit: float

    def bind(self, simulation: Simulation) -> CommandJumps:
        """Raises PgrobotError where an actuator's command is unlimited, or there is no actuator."""
        _check_positive("action_rate.cost.limit", self.limit)
        unlimited = [
            name
            for name, ends in zip(simulation.actuators, simulation.ctrl_range, strict=True)
            if not np.isfinite(ends).all()
        ]
        if unlimited:
            raise PgrobotError(
                f"constraint 'action_rate' needs a ctrlrange: actuator '{unlimited[0]}' has none"
            )
        if not simulation.actuators:
            raise PgrobotError("constraint 'action_rate' needs an actuator: this robot has none")
        return CommandJumps(simulation, self.limit * np.ptp(simulation.ctrl_range, axis=1))


class CommandJumps:
    """The bound ``ActionRate``. An episode's first command jumps from nowhere and costs nothing."""

    def __init__(self, simulation: Simulation, largest: np.ndarray) -> None:
        self.parts = simulation.actuators
        self.highest = float(len(self.parts))
        self._simulation = simulation
        self._largest = largest  # [A]
        self._previous = np.full(simulation.ctrl.shape, np.nan)  # [N, A]; nothing is greater than NaN

    def __call__(self) -> np.ndarray:
        """1 where actuator ``a`` of simulation ``n`` was moved too far, else 0: ``[N, A]``."""
        command = self._simulation.applied_ctrl
        jumps = np.abs(command - self._previous) > self._largest
        self._previous[:] = command
        return jumps.astype(np.float64)

    def reset(self, ids: np.ndarray) -> None:
        self._previous[ids] = np.nan

    def state_dict(self) -> State:
        return {"previous": torch.tensor(self._previous)}

    def load_state_dict(self, state: State) -> None:
        self._previous[:] = state["previous"].numpy()


@dataclass(frozen=True)
class Drive:
    """The ``J`` hinges and slides that actuators drive, in the order of the actuators."""

    joints: tuple[str, ...]
    ids: np.ndarray  # [J]
    dofs: np.ndarray  # [J], into velocities and joint torques
    driven: np.ndarray  # [nu], the place in ``ids`` of the joint that each actuator drives

    @classmethod
    def of(cls, cost: str, simulation: Simulation) -> Self:
        """Find them, for the constraint ``cost``.

        Raises:
            PgrobotError: an actuator drives something else, or there is no actuator.
        """
        model = simulation.model
        targets = model.actuator_trnid[:, 0]
        for a, name in enumerate(simulation.actuators):
            drives_joint = int(model.actuator_trntype[a]) in JOINT_DRIVES
            if not drives_joint or int(model.jnt_type[targets[a]]) not in (HINGE, SLIDE):
                raise PgrobotError(
                    f"constraint {cost!r} needs actuators on hinges and slides: '{name}' drives something else"
                )
        if not model.nu:
            raise PgrobotError(f"constraint {cost!r} needs an actuator: this robot has none")
        ids = np.array(list(dict.fromkeys(targets.tolist())))
        driven = np.array([ids.tolist().index(target) for target in targets])
        return cls(tuple(simulation.joints[i] for i in ids), ids, model.jnt_dofadr[ids], driven)

    def columns(self, field: np.ndarray) -> Callable[[], np.ndarray]:
        """Read these joints' entries of a live ``[N, nv]`` field: ``[N, J]``."""
        return _picked(field, self.dofs)

    def greatest_torque(self, simulation: Simulation) -> np.ndarray:
        """What the actuators of each joint can give together, N·m or N, ``[J]``.

        Raises:
            PgrobotError: an actuator without a greatest force.
        """
        model = simulation.model
        forces = [_greatest_force(model, a, name) for a, name in enumerate(simulation.actuators)]
        torque = np.bincount(self.driven, weights=np.abs(simulation.gear) * forces)
        limited = model.jnt_actfrclimited[self.ids].astype(bool)
        at_joint = np.abs(model.jnt_actfrcrange[self.ids]).max(axis=1)
        return np.where(limited, np.minimum(torque, at_joint), torque)


def _greatest_force(model: mujoco.MjModel, actuator: int, name: str) -> float:
    """The force that MuJoCo clamps the actuator to, or that a motor gives for its largest command."""
    bounds = []
    if model.actuator_forcelimited[actuator]:
        bounds.append(np.abs(model.actuator_forcerange[actuator]).max())
    is_motor = (
        int(model.actuator_gaintype[actuator]) == FIXED_GAIN
        and int(model.actuator_biastype[actuator]) == NO_BIAS
        and int(model.actuator_dyntype[actuator]) != int(mujoco.mjtDyn.mjDYN_INTEGRATOR)
    )
    if is_motor and model.actuator_ctrllimited[actuator]:
        gain = abs(model.actuator_gainprm[actuator, 0])
        bounds.append(gain * np.abs(model.actuator_ctrlrange[actuator]).max())
    if not bounds:
        raise PgrobotError(
            f"constraint 'torque' needs a greatest force: give actuator '{name}' a forcerange in the MJCF file"
        )
    return float(min(bounds))


def _picked(field: np.ndarray, columns: np.ndarray) -> Callable[[], np.ndarray]:
    """Read some columns of a live ``[N, *]`` array; a view where they are consecutive."""
    first, count = int(columns[0]), len(columns)
    if np.array_equal(columns, np.arange(first, first + count)):
        view = field[:, first : first + count]
        return lambda: view
    return lambda: field[:, columns]


def _check_positive(key: str, value: float) -> None:
    if not 0.0 < value < math.inf:
        raise PgrobotError(f"constraint.{key}={value} has to be a positive number: give the one you want")
