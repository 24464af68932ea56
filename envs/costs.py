"""Costs that any robot can be constrained by, each a count of what violates its limit in a step.

All are indicators per part (a joint, an actuator, the body whose speed it is), so a step's cost is the number of
parts in violation and decomposes exactly into them. Costs with the option ``substeps`` look at the robot after every
substep of the step, and a part violates its limit if it does so after any of them (``worst``), or after the ``last``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.simulation import Simulation
from pgrobot.simulation.strength import STRENGTH
from pgrobot.simulation.units import HINGE, SLIDE
from pgrobot.types import State

from .drive import Drive, picked

SUBSTEPS = ("worst", "last")


class Violations:
    """A bound cost without memory: which parts violate their limit now."""

    counts = True

    def __init__(self, parts: tuple[str, ...], violated: Callable[[], np.ndarray]) -> None:
        self.parts = parts
        self.highest = float(len(parts))
        self._violated = violated

    def __call__(self) -> np.ndarray:
        """1 where part ``j`` of simulation ``n`` violates its limit, else 0: ``[N, J]``."""
        return np.asarray(self._violated())

    def reset(self, ids: np.ndarray) -> None:
        """Nothing is remembered."""

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing was remembered."""


class ModelViolations(Violations):
    """Those of limits that follow from a model which varies: each episode has its own.

    Args:
        parts: as of ``Violations``.
        limits: computes them, ``[N, J]`` each.
        violated: which parts violate such limits now.
    """

    def __init__(
        self,
        parts: tuple[str, ...],
        limits: Callable[[], tuple[np.ndarray, ...]],
        violated: Callable[..., np.ndarray],
    ) -> None:
        self._limits, self._now = limits, limits()
        super().__init__(parts, lambda: violated(*self._now))

    def reset(self, ids: np.ndarray) -> None:
        """Take the limits of the models that the new episodes have."""
        self._now = self._limits()

    def load_state_dict(self, state: State) -> None:
        """Take the limits of the models that came back."""
        self._now = self._limits()


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
class Fall:
    """1 in the step in which the robot falls, which ends its episode."""

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError for a robot whose episode no fall ends."""
        _ = simulation.fallen  # raises where there is none
        body = simulation.model.body(1).name or "robot"
        return Violations((body,), lambda: simulation.fallen[:, None])


@dataclass(frozen=True)
class Torque:
    """Driven joints whose torque exceeds ``fraction`` of the most that their actuators can give, in N·m (N)."""

    fraction: float
    substeps: str

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError where an actuator drives no single joint or has no greatest force."""
        if not 0.0 < self.fraction < 1.0:
            raise PgrobotError(f"constraint.torque.cost.fraction={self.fraction} has to lie between 0 and 1")
        drive = Drive.of("torque", simulation)
        torque = drive.columns(_observed("torque", simulation, "qfrc_actuator", self.substeps))

        def limits() -> tuple[np.ndarray]:
            return (self.fraction * drive.greatest_torque(simulation),)

        def violated(limit: np.ndarray) -> np.ndarray:
            return (np.abs(torque()) > limit[:, None]).any(axis=1)

        return _of_model(drive.joints, limits, violated, simulation.varies(*STRENGTH))


@dataclass(frozen=True)
class JointVelocity:
    """Driven joints that move faster than ``limit``: rad/s, for a slide m/s."""

    limit: float
    substeps: str

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError where an actuator drives no single joint."""
        _check_positive("joint_velocity.cost.limit", self.limit)
        drive = Drive.of("joint_velocity", simulation)
        velocity = drive.columns(_observed("joint_velocity", simulation, "qvel", self.substeps))
        return Violations(drive.joints, lambda: (np.abs(velocity()) > self.limit).any(axis=1))


@dataclass(frozen=True)
class Power:
    """Driven joints whose mechanical power ``|torque · velocity|``, given or taken, exceeds ``limit`` (W)."""

    limit: float
    substeps: str

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError where an actuator drives no single joint."""
        _check_positive("power.cost.limit", self.limit)
        drive = Drive.of("power", simulation)
        torque, velocity = (
            drive.columns(_observed("power", simulation, field, self.substeps))
            for field in ("qfrc_actuator", "qvel")
        )
        return Violations(drive.joints, lambda: (np.abs(torque() * velocity()) > self.limit).any(axis=1))


@dataclass(frozen=True)
class JointLimit:
    """Limited hinges and slides nearer to an end of their range than ``margin`` of that range, or beyond it."""

    margin: float
    substeps: str

    def bind(self, simulation: Simulation) -> Violations:
        """Raises PgrobotError where no joint is limited."""
        if not 0.0 <= self.margin < 0.5:
            raise PgrobotError(f"constraint.joint_limit.cost.margin={self.margin} has to lie in [0, 0.5)")
        model = simulation.model
        ids = np.flatnonzero(model.jnt_limited.astype(bool) & np.isin(model.jnt_type, (HINGE, SLIDE)))
        if not ids.size:
            raise PgrobotError("constraint 'joint_limit' needs a limited hinge or slide: this robot has none")
        observed = _observed("joint_limit", simulation, "qpos", self.substeps)
        position = picked(observed, model.jnt_qposadr[ids])

        def limits() -> tuple[np.ndarray, np.ndarray]:
            low, high = np.moveaxis(simulation.model_field("jnt_range")[:, ids], -1, 0)
            reach = self.margin * (high - low)
            return low + reach, high - reach

        def violated(low: np.ndarray, high: np.ndarray) -> np.ndarray:
            now = position()
            return np.any((now < low[:, None]) | (now > high[:, None]), axis=1)

        parts = tuple(simulation.joints[i] for i in ids)
        return _of_model(parts, limits, violated, simulation.varies("jnt_range"))


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

    counts = True

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


def _of_model(
    parts: tuple[str, ...],
    limits: Callable[[], tuple[np.ndarray, ...]],
    violated: Callable[..., np.ndarray],
    varies: bool,
) -> Violations:
    """Violations of limits that follow from the model, which are computed once where it does not vary."""
    if varies:
        return ModelViolations(parts, limits, violated)
    now = limits()
    return Violations(parts, lambda: violated(*now))


def _observed(cost: str, simulation: Simulation, field: str, substeps: str) -> np.ndarray:
    """A live field as a cost looks at it, ``[N, S, *]``: after every substep, or after the last alone.

    Raises:
        PgrobotError: ``substeps`` is neither ``worst`` nor ``last``.
    """
    if substeps == "worst":
        return simulation.by_substep(field)
    if substeps == "last":
        return simulation.field(field)[:, None]
    raise PgrobotError(
        f"constraint.{cost}.cost.substeps={substeps} is unknown: {nearest(str(substeps), SUBSTEPS)}"
    )


def _check_positive(key: str, value: float) -> None:
    if not 0.0 < value < math.inf:
        raise PgrobotError(f"constraint.{key}={value} has to be a positive number: give the one you want")
