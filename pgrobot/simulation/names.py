"""What the entries of a MuJoCo field are called: ``qvel/thigh_joint``, ``cinert/torso/3``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import mujoco
import numpy as np

from pgrobot.simulation.model import actuator_names, body_names, joint_names

POINT = ("x", "y", "z")
QUATERNION = ("qw", "qx", "qy", "qz")
TURN = ("rx", "ry", "rz")  # about the axes: an angular velocity, a torque
# By the kind of a joint, what follows its name in a position and in a velocity or force.
COORDINATES = {
    int(mujoco.mjtJoint.mjJNT_FREE): (*POINT, *QUATERNION),
    int(mujoco.mjtJoint.mjJNT_BALL): QUATERNION,
}
FREEDOMS = {int(mujoco.mjtJoint.mjJNT_FREE): (*POINT, *TURN), int(mujoco.mjtJoint.mjJNT_BALL): TURN}
# By their number, what follows the name of a body; MuJoCo's spatial vectors have the rotation first.
COMPONENTS = {len(POINT): POINT, len(QUATERNION): QUATERNION, 6: (*TURN, *POINT)}


def entry_names(model: mujoco.MjModel, field: str, shape: tuple[int, ...]) -> np.ndarray:
    """Names of the entries of a field of one simulation, in an array of its shape.

    A position, velocity or force of a joint is ``<field>/<joint>``, followed by its component where the joint has
    several; what belongs to a body is ``<field>/<body>/<component>``, to an actuator ``<field>/<actuator>``. All
    others are numbered.

    Args:
        model: names the parts.
        field: of MuJoCo's data, e.g. ``"qpos"``.
        shape: of the field in one simulation, e.g. ``(nbody, 6)``.
    """
    names = np.array([f"{field}/{entry}" for entry in _entries(model, field, shape)], dtype=object)
    return names.reshape(shape)


def _entries(model: mujoco.MjModel, field: str, shape: tuple[int, ...]) -> Sequence[str]:
    if field == "qpos":
        return _of_joints(model, COORDINATES)
    if field.startswith("q") and shape == (model.nv,):
        return _of_joints(model, FREEDOMS)
    if field in ("ctrl", "actuator_force") or (field.startswith("actuator_") and shape == (model.nu,)):
        return actuator_names(model)
    if field[0] in "xc" and len(shape) > 1 and shape[0] == model.nbody:
        width = math.prod(shape[1:])
        components = COMPONENTS.get(width, tuple(map(str, range(width))))
        return [f"{body}/{component}" for body in body_names(model) for component in components]
    return [str(i) for i in range(math.prod(shape))]


def _of_joints(model: mujoco.MjModel, components: dict[int, tuple[str, ...]]) -> list[str]:
    return [
        f"{name}{component}"
        for name, kind in zip(joint_names(model), model.jnt_type.tolist(), strict=True)
        for component in [f"/{one}" for one in components.get(kind, ())] or [""]
    ]
