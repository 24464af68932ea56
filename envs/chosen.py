"""What is chosen for a robot that says little of itself, and how that is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import mujoco
import numpy as np

from pgrobot.simulation.functions import Rewards
from pgrobot.simulation.model import actuator_names, geom_names
from pgrobot.simulation.strength import force_ranges, of_model
from pgrobot.simulation.units import AFFINE, FIXED, HINGE, NO_BIAS, SLIDE, drives_one_axis

from .base import FIXED as FIXED_BASE
from .base import FREE
from .posture import keyframe_of, pose_of

if TYPE_CHECKING:
    from .any_robot import AnyRobot

DEEP = 0.01  # m, from which a start inside something is worth a word
LISTED = 6


def missing_ranges(model: mujoco.MjModel) -> dict[int, tuple[np.ndarray, str]]:
    """The range that each unlimited command is given, and where it comes from, by the actuators' numbers.

    What the greatest force asks for, of a position servo its joint's range, or ±1.
    """
    unlimited = np.flatnonzero(~model.actuator_ctrllimited.astype(bool)).tolist()
    return {a: _range(model, a) for a in unlimited}


def give_ranges(model: mujoco.MjModel) -> dict[str, str]:
    """Give them those ranges, in place; returns the actuators' names, each with where its range comes from."""
    names, missing = actuator_names(model), missing_ranges(model)
    for actuator, (limits, _) in missing.items():
        model.actuator_ctrlrange[actuator] = limits
        model.actuator_ctrllimited[actuator] = 1
    return {names[actuator]: source for actuator, (_, source) in missing.items()}


def sentences(robot: AnyRobot, model: mujoco.MjModel, given: Mapping[str, str]) -> list[tuple[str, str]]:
    """What a robot has become, a word and a sentence each; ``given`` as ``give_ranges`` returned it."""
    base, pose = robot.base_in(model), keyframe_of(model, robot.keyframe)
    moves = {FREE: "flies free", FIXED_BASE: "is fixed"}.get(base.kind, "slides in a plane")
    name = model.body(base.body).name or "the world"
    step = robot.frame_skip * model.opt.timestep
    span = robot.max_episode_steps * step
    parts = f"{robot.frame_skip} of MuJoCo's {1000 * model.opt.timestep:g} ms"
    limit = f"an episode is at most {robot.max_episode_steps:,} steps, {span:,.0f} s"
    told = [
        ("base", f"{name}, which {moves}; it starts {base.height:.2f} m high in the pose {pose}"),
        ("step", f"{1000 * step:g} ms: {parts}; {limit}"),
        ("reward", _sum(robot.rewards)),
        ("ends by", ", ".join(robot.terminations) or "nothing but its time"),
    ]
    for source in dict.fromkeys(given.values()):
        which = [name for name, each in given.items() if each == source]
        told.append(("commands", f"of {_some(which)} have no range in the file: {source}"))
    told.append(("may limit", ", ".join(fitting(robot, model))))
    inside = _deepest(model, pose_of(model, robot.keyframe))
    return [*told, ("warning", inside)] if inside else told


def fitting(robot: AnyRobot, model: mujoco.MjModel) -> list[str]:
    """The constraints that such a robot can be given."""
    fits = ["action_rate"]
    if all(drives_one_axis(model, a) for a in range(model.nu)):
        known = np.isfinite(force_ranges(model, of_model(model))).all()
        fits += [*(["torque"] if known else []), "joint_velocity", "power"]
    if np.any(model.jnt_limited.astype(bool) & np.isin(model.jnt_type, (HINGE, SLIDE))):
        fits.append("joint_limit")
    if robot.can_fall:
        fits.append("fall")
    if robot.base_in(model).kind != FIXED_BASE:
        fits.append("speed (with task.speed_threshold)")
    return fits


def _range(model: mujoco.MjModel, actuator: int) -> tuple[np.ndarray, str]:
    """The range of an unlimited command, and where it comes from."""
    gain, bias = float(model.actuator_gainprm[actuator, 0]), model.actuator_biasprm[actuator, :2]
    plain = model.actuator_gaintype[actuator] == FIXED and gain
    if plain and model.actuator_biastype[actuator] == NO_BIAS and model.actuator_forcelimited[actuator]:
        return np.sort(model.actuator_forcerange[actuator] / gain), "that of their greatest force"
    servo = plain and model.actuator_biastype[actuator] == AFFINE and bias.tolist() == [0.0, -gain]
    if servo and drives_one_axis(model, actuator):
        joint = model.actuator_trnid[actuator, 0]
        if model.jnt_limited[joint]:
            return np.sort(model.jnt_range[joint] * model.actuator_gear[actuator, 0]), "their joints' ranges"
    return np.array((-1.0, 1.0)), "±1 is taken"


def _deepest(model: mujoco.MjModel, pose: np.ndarray) -> str:
    """A sentence about what starts inside the floor or another fixed thing; empty where nothing does."""
    data = mujoco.MjData(model)
    data.qpos[:] = pose
    mujoco.mj_fwdPosition(model, data)
    fixed = model.body_weldid[model.geom_bodyid] == 0
    outside = [contact for contact in data.contact if fixed[contact.geom].any()]
    deepest = min(outside, key=lambda contact: contact.dist, default=None)
    if deepest is None or deepest.dist > -DEEP:
        return ""
    one, other = (geom_names(model)[g] for g in sorted(deepest.geom, key=lambda g: fixed[g]))
    return (
        f"{one} starts {-100 * deepest.dist:.0f} cm inside {other}: give the model a keyframe in which it stands, "
        "and task.keyframe its name"
    )


def _sum(rewards: Rewards) -> str:
    """Terms with their weights: ``1 forward + 1 alive - 0.1 effort``."""
    signed = [
        f"{'-' if term.weight < 0 else '+'} {abs(term.weight):g} {name}" for name, term in rewards.items()
    ]
    return " ".join(signed).removeprefix("+ ")


def _some(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
