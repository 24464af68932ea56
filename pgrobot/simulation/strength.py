"""How much the actuators of a robot can give: what costs, diagnostics and films hold a torque against."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np

from pgrobot.simulation.units import DIRECT, FIXED, NO_BIAS, drives_one_axis

STRENGTH = ("actuator_gear", "actuator_gainprm", "actuator_forcerange")  # what says it, and may vary
UNLIMITED = (-np.inf, np.inf)

# of the model by its name: [N, …], or [1, …] where all simulations share it
Field = Callable[[str], np.ndarray]


def of_model(model: mujoco.MjModel) -> Field:
    """The fields of a single model."""
    return lambda name: np.asarray(getattr(model, name))[None]


def force_ranges(model: mujoco.MjModel, field: Field) -> np.ndarray:
    """The least and the greatest force of each actuator before its gear; infinite where nothing limits it.

    A motor is limited by its command, any actuator by its ``forcerange``; where both are, by what is left of the
    command when it is clamped.

    Args:
        model: what all simulations share.
        field: what may vary.

    Returns:
        ``[N, nu, 2]``, or ``[1, nu, 2]`` where nothing varies.
    """
    kinds = (model.actuator_gaintype == FIXED) & (model.actuator_biastype == NO_BIAS)
    limited = kinds & np.isin(model.actuator_dyntype, DIRECT) & model.actuator_ctrllimited.astype(bool)
    command = np.sort(field("actuator_gainprm")[..., :1] * model.actuator_ctrlrange)
    ranges = np.where(limited[:, None], command, UNLIMITED)
    least, greatest = np.split(field("actuator_forcerange"), 2, axis=-1)
    clamped = model.actuator_forcelimited.astype(bool)[:, None]
    return np.where(clamped, np.clip(ranges, least, greatest), ranges)


def actuator_torques(model: mujoco.MjModel, field: Field) -> np.ndarray:
    """The least and the greatest torque that each actuator alone gives its joint, N·m (N), as ``force_ranges``."""
    one_axis = np.array([drives_one_axis(model, a) for a in range(model.nu)], dtype=bool)
    joints = np.where(one_axis, model.actuator_trnid[:, 0], 0)
    at_joints = np.where(one_axis[:, None], _at_joints(model)[joints] if model.njnt else UNLIMITED, UNLIMITED)
    return np.clip(_geared(model, field), at_joints[:, :1], at_joints[:, 1:])


def joint_torques(model: mujoco.MjModel, field: Field, joints: np.ndarray) -> np.ndarray:
    """The least and the greatest torque that all actuators of each joint give together, N·m (N).

    Args:
        model: as of ``force_ranges``; every actuator drives a hinge or a slide.
        field: as of ``force_ranges``.
        joints: ``J`` of them, by their numbers.

    Returns:
        ``[N, J, 2]``, or ``[1, J, 2]`` where nothing varies; infinite where nothing limits an actuator or the joint.
    """
    ranges, targets = _geared(model, field), model.actuator_trnid[:, 0]
    together = np.stack([ranges[:, targets == j].sum(axis=1) for j in joints], axis=1)
    at_joints = _at_joints(model)[joints]
    return np.clip(together, at_joints[:, :1], at_joints[:, 1:])


def _at_joints(model: mujoco.MjModel) -> np.ndarray:
    """What every joint's own ``actuatorfrcrange`` lets through, ``[njnt, 2]``."""
    return np.where(model.jnt_actfrclimited.astype(bool)[:, None], model.jnt_actfrcrange, UNLIMITED)


def _geared(model: mujoco.MjModel, field: Field) -> np.ndarray:
    gear, ranges = field("actuator_gear")[..., :1], force_ranges(model, field)
    return np.sort(gear * np.where(gear == 0.0, 0.0, ranges))
