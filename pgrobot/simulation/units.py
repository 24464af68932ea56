"""What a unit of a MuJoCo control is in the world."""

from __future__ import annotations

from collections.abc import Collection

import mujoco

JOINTS = (int(mujoco.mjtTrn.mjTRN_JOINT), int(mujoco.mjtTrn.mjTRN_JOINTINPARENT))
FIXED = int(mujoco.mjtGain.mjGAIN_FIXED)
NO_BIAS, AFFINE = int(mujoco.mjtBias.mjBIAS_NONE), int(mujoco.mjtBias.mjBIAS_AFFINE)
INTEGRATOR = int(mujoco.mjtDyn.mjDYN_INTEGRATOR)
DIRECT = tuple(
    int(kind)
    for kind in (mujoco.mjtDyn.mjDYN_NONE, mujoco.mjtDyn.mjDYN_FILTER, mujoco.mjtDyn.mjDYN_FILTEREXACT)
)
HINGE, SLIDE = int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE)
# By the kind of a joint: its force, its position and its velocity.
UNITS = {
    HINGE: ("N·m", "rad", "rad/s"),
    SLIDE: ("N", "m", "m/s"),
}


SAYING = frozenset(("actuator_gear", "actuator_gainprm", "actuator_biasprm"))


def control_units(model: mujoco.MjModel, varied: Collection[str] = ()) -> tuple[str, ...]:
    """What 1 of each control stands for, ``[nu]``: ``"200 N·m"`` of a motor with that gear, ``"rad"`` of a servo.

    Empty where it is not known: for actuators that drive something else than one hinge or slide, for those whose
    force is no plain function of the control, and for all where one of the fields that say it is ``varied``.
    """
    if not SAYING.isdisjoint(varied):
        return ("",) * model.nu
    return tuple(_unit(model, actuator) for actuator in range(model.nu))


def drives_one_axis(model: mujoco.MjModel, actuator: int) -> bool:
    """Whether an actuator drives one hinge or slide."""
    if int(model.actuator_trntype[actuator]) not in JOINTS:
        return False
    return int(model.jnt_type[model.actuator_trnid[actuator, 0]]) in UNITS


def _unit(model: mujoco.MjModel, actuator: int) -> str:
    if not drives_one_axis(model, actuator):
        return ""
    force, position, velocity = UNITS[int(model.jnt_type[model.actuator_trnid[actuator, 0]])]
    gear, gain = float(model.actuator_gear[actuator, 0]), float(model.actuator_gainprm[actuator, 0])
    if int(model.actuator_gaintype[actuator]) != FIXED or not gear * gain:
        return ""
    dynamics, kind = int(model.actuator_dyntype[actuator]), int(model.actuator_biastype[actuator])
    bias = model.actuator_biasprm[actuator, :3].tolist()
    holds_position = kind == AFFINE and bias[:2] == [0.0, -gain]
    if dynamics in DIRECT and kind == NO_BIAS:
        return _times(gear * gain, force)
    if dynamics in DIRECT and holds_position:
        return _times(1.0 / gear, position)
    if dynamics in DIRECT and kind == AFFINE and bias == [0.0, 0.0, -gain]:
        return _times(1.0 / gear, velocity)
    if dynamics == INTEGRATOR and holds_position:  # of a place that the control moves
        return _times(1.0 / gear, velocity)
    return ""


def _times(scale: float, unit: str) -> str:
    return unit if scale == 1.0 else f"{scale:g} {unit}"
