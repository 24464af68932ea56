"""The model fields that may vary, and which of their numbers do anything in a model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.model import actuator_names, body_names, geom_names, joint_names, tendon_names
from pgrobot.simulation.models import VARIABLE

Active = Callable[[mujoco.MjModel], np.ndarray]  # which parts a field does something for, [P] bool

FREE = int(mujoco.mjtJoint.mjJNT_FREE)
SIZED = tuple(
    int(kind)
    for kind in (
        mujoco.mjtGeom.mjGEOM_SPHERE,
        mujoco.mjtGeom.mjGEOM_CAPSULE,
        mujoco.mjtGeom.mjGEOM_ELLIPSOID,
        mujoco.mjtGeom.mjGEOM_CYLINDER,
        mujoco.mjtGeom.mjGEOM_BOX,
    )
)


@dataclass(frozen=True, slots=True)
class Kind:
    """Parts of a model.

    Attributes:
        word: what one is called.
        names: of all, by MuJoCo's indices.
        rows: the part of each row of a field, ``[rows]``.
    """

    word: str
    names: Callable[[mujoco.MjModel], tuple[str, ...]]
    rows: Callable[[mujoco.MjModel], np.ndarray]


BODY = Kind("body", body_names, lambda model: np.arange(model.nbody))
GEOM = Kind("geom", geom_names, lambda model: np.arange(model.ngeom))
JOINT = Kind("joint", joint_names, lambda model: np.arange(model.njnt))
DOF = Kind("joint", joint_names, lambda model: np.array(model.dof_jntid))
ACTUATOR = Kind("actuator", actuator_names, lambda model: np.arange(model.nu))
TENDON = Kind("tendon", tendon_names, lambda model: np.arange(model.ntendon))
WHOLE = Kind("option", lambda _: ("",), lambda _: np.zeros(1, np.int64))


def _everywhere(_: mujoco.MjModel) -> np.ndarray:
    return np.ones(1, bool)


def _moves(model: mujoco.MjModel) -> np.ndarray:
    return np.array(model.body_weldid != 0)


def _weighs(model: mujoco.MjModel) -> np.ndarray:
    """A mass that is drawn scales the inertia, which takes one to begin with."""
    return _moves(model) & (model.body_mass > 0.0)


def _is_placed(model: mujoco.MjModel) -> np.ndarray:
    """A body with a free joint, or one that a mocap pose moves, is where its state says."""
    free = np.isin(np.arange(model.nbody), model.jnt_bodyid[np.asarray(model.jnt_type) == FREE])
    return np.array(~free & (model.body_mocapid < 0) & (np.arange(model.nbody) > 0))


def _collides(model: mujoco.MjModel) -> np.ndarray:
    return np.array((model.geom_contype | model.geom_conaffinity) != 0)


def _has_size(model: mujoco.MjModel) -> np.ndarray:
    return _collides(model) & np.isin(model.geom_type, SIZED)


@dataclass(frozen=True, slots=True)
class VariedField:
    """A field that may vary.

    Attributes:
        kind: the parts that its rows belong to.
        active: the parts that it does something for; none: ``[1]``, all of them.
        because: why the others stay as they are, after "it".
        least: of its numbers.
        strict: whether they lie above ``least``.
        ascends: whether two columns are ends of a range.
    """

    kind: Kind
    active: Active = _everywhere
    because: str = ""
    least: float = -math.inf
    strict: bool = False
    ascends: bool = False


STILL = "does not move"
FIELDS: Mapping[str, VariedField] = {
    "body_mass": VariedField(BODY, _weighs, "does not move, or weighs nothing", 0.0, strict=True),
    "body_inertia": VariedField(BODY, _weighs, "does not move, or weighs nothing", 0.0, strict=True),
    "body_ipos": VariedField(BODY, _moves, STILL),
    "body_pos": VariedField(BODY, _is_placed, "is where its free joint, or the world, puts it"),
    "geom_friction": VariedField(GEOM, _collides, "collides with nothing", 0.0),
    "geom_pos": VariedField(GEOM, _collides, "collides with nothing"),
    "geom_size": VariedField(GEOM, _has_size, "collides with nothing, or has no size of its own", 0.0, strict=True),
    "dof_damping": VariedField(DOF, least=0.0),
    "dof_armature": VariedField(DOF, least=0.0),
    "dof_frictionloss": VariedField(DOF, least=0.0),
    "jnt_stiffness": VariedField(JOINT, least=0.0),
    "jnt_range": VariedField(
        JOINT, lambda model: np.array(model.jnt_limited, bool), "has no limits", ascends=True
    ),
    "actuator_gear": VariedField(ACTUATOR),
    "actuator_gainprm": VariedField(ACTUATOR),
    "actuator_biasprm": VariedField(ACTUATOR),
    "actuator_forcerange": VariedField(
        ACTUATOR, lambda model: np.array(model.actuator_forcelimited, bool), "has no forcerange", ascends=True
    ),
    "tendon_stiffness": VariedField(TENDON, least=0.0),
    "tendon_damping": VariedField(TENDON, least=0.0),
    "opt.gravity": VariedField(WHOLE),
    "opt.wind": VariedField(WHOLE),
    "opt.density": VariedField(WHOLE, least=0.0),
    "opt.viscosity": VariedField(WHOLE, least=0.0),
}  # fmt: skip
# What cannot vary for a reason of its own, after the field's name.
SHARED: Mapping[str, str] = {
    "actuator_ctrlrange": "bounds the action space, which all simulations share: vary actuator_gear",
    "actuator_ctrllimited": "bounds the action space, which all simulations share: vary actuator_gear",
    "opt.timestep": "is how long a step lasts, which all simulations share",
    "qpos0": "is where the robot itself starts from: vary what its initial_state draws",
}


def check_field(path: str, name: str) -> None:
    """Refuse a field that does not vary.

    Raises:
        PgrobotError: there is none of that name, or all simulations share it; names those that are near.
    """
    if name in FIELDS:
        return
    if name in SHARED:
        raise PgrobotError(f"{path}={name} cannot vary: it {SHARED[name]}")
    near = nearest(name, FIELDS)
    if name in VARIABLE:
        raise PgrobotError(f"{path}={name} is a field of the model that does not vary by simulation: {near}")
    raise PgrobotError(f"{path}={name} is no field of the model: {near}")


def field_of(model: mujoco.MjModel, name: str) -> np.ndarray:
    """A field of a model, such as ``body_mass`` or ``opt.gravity``, as a plain array."""
    owner = model.opt if name.startswith("opt.") else model
    return np.array(getattr(owner, name.removeprefix("opt.")))
