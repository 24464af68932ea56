"""Costs of joints: torque, velocity, power, and the ends of their ranges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation.simulation import Simulation
from pgrobot.simulation.strength import STRENGTH
from pgrobot.simulation.units import HINGE, SLIDE

from .choice import Chosen, Limit, Part, chosen, limits
from .drive import Drive, picked
from .violations import Violations, check_positive, observed, of_model


@dataclass(frozen=True)
class Torque:
    """Driven joints whose torque exceeds ``fraction`` of the most that their actuators can give, in N·m (N).

    Attributes:
        fraction: one for all joints, or by name.
        substeps: ``worst`` or ``last``.
        joints: which are looked at; ``all`` that are driven.
    """

    fraction: Limit
    substeps: str
    joints: Chosen

    def bind(self, simulation: Simulation, name: str = "torque") -> Violations:
        """Raises PgrobotError where an actuator drives no single joint or has no greatest force."""
        drive = Drive.of(name, simulation, self.joints, alone=True)
        fraction = drive.limits(f"constraint.{name}.cost.fraction", self.fraction, _check_fraction)
        torque = drive.columns(observed(name, simulation, "qfrc_actuator", self.substeps))

        def greatest() -> tuple[np.ndarray]:
            return (fraction * drive.greatest_torque(name, simulation),)

        def violated(limit: np.ndarray) -> np.ndarray:
            return (np.abs(torque()) > limit[:, None]).any(axis=1)

        return of_model(drive.joints, greatest, violated, simulation.varies(*STRENGTH))


@dataclass(frozen=True)
class JointVelocity:
    """Driven joints that move faster than ``limit``: rad/s, for a slide m/s; the rest as of ``Torque``."""

    limit: Limit
    substeps: str
    joints: Chosen

    def bind(self, simulation: Simulation, name: str = "joint_velocity") -> Violations:
        """Raises PgrobotError where an actuator drives no single joint."""
        drive = Drive.of(name, simulation, self.joints, alone=False)
        limit = drive.limits(f"constraint.{name}.cost.limit", self.limit, check_positive)
        velocity = drive.columns(observed(name, simulation, "qvel", self.substeps))
        return Violations(drive.joints, lambda: (np.abs(velocity()) > limit).any(axis=1))


@dataclass(frozen=True)
class Power:
    """Driven joints whose mechanical power ``|torque · velocity|``, given or taken, exceeds ``limit`` (W)."""

    limit: Limit
    substeps: str
    joints: Chosen

    def bind(self, simulation: Simulation, name: str = "power") -> Violations:
        """Raises PgrobotError where an actuator drives no single joint."""
        drive = Drive.of(name, simulation, self.joints, alone=False)
        limit = drive.limits(f"constraint.{name}.cost.limit", self.limit, check_positive)
        torque, velocity = (
            drive.columns(observed(name, simulation, field, self.substeps))
            for field in ("qfrc_actuator", "qvel")
        )
        return Violations(drive.joints, lambda: (np.abs(torque() * velocity()) > limit).any(axis=1))


@dataclass(frozen=True)
class JointLimit:
    """Limited hinges and slides nearer to an end of their range than ``margin`` of that range, or beyond it."""

    margin: Limit
    substeps: str
    joints: Chosen

    def bind(self, simulation: Simulation, name: str = "joint_limit") -> Violations:
        """Raises PgrobotError where no joint is limited, or one that is named."""
        model = simulation.model
        limited = model.jnt_limited.astype(bool) & np.isin(model.jnt_type, (HINGE, SLIDE))
        if not limited.any():
            raise PgrobotError(f"constraint {name!r} needs a limited hinge or slide: this robot has none")
        unfit = {
            joint: f"joint {joint!r} has no range to come to an end of"
            for joint, fine in zip(simulation.joints, limited, strict=True)
            if not fine
        }
        ids = np.flatnonzero(limited)
        able = [Part(simulation.joints[j], "") for j in ids]
        at = chosen(f"constraint.{name}.cost.joints", "joint", self.joints, able, unfit)
        ids, parts = ids[at], [able[k] for k in at]
        names = tuple(part.name for part in parts)
        margin = limits(f"constraint.{name}.cost.margin", "joint", self.margin, parts, able, _check_margin)
        position = picked(observed(name, simulation, "qpos", self.substeps), model.jnt_qposadr[ids])

        def reach() -> tuple[np.ndarray, np.ndarray]:
            low, high = np.moveaxis(simulation.model_field("jnt_range")[:, ids], -1, 0)
            inner = margin * (high - low)
            return low + inner, high - inner

        def violated(low: np.ndarray, high: np.ndarray) -> np.ndarray:
            now = position()
            return np.any((now < low[:, None]) | (now > high[:, None]), axis=1)

        return of_model(names, reach, violated, simulation.varies("jnt_range"))


def _check_fraction(key: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise PgrobotError(f"{key}={value} has to lie between 0 and 1")


def _check_margin(key: str, value: float) -> None:
    if not 0.0 <= value < 0.5:
        raise PgrobotError(f"{key}={value} has to lie in [0, 0.5)")
