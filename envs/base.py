"""The body by which a robot moves: where it stands, how it leans, how fast it goes, in any model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation import Simulation
from pgrobot.simulation.model import body_names
from pgrobot.simulation.units import HINGE, JOINTS, SLIDE

from .once import once
from .posture import pose_of

FREE, PLANAR, FIXED = "free", "planar", "fixed"
FREE_JOINT = int(mujoco.mjtJoint.mjJNT_FREE)
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Base:
    """A body that hangs on the world itself, with what a robot's pose says of it.

    Attributes:
        body: its index.
        kind: ``free`` of a free joint, ``planar`` where slides that nothing drives or limits carry it along the floor,
            else ``fixed``.
        qpos, dof: where its first joint's coordinates begin.
        slides: the planar ones, by their degrees of freedom.
        axes: along which those go in the world, ``[S, 3]``.
        up, forward: the world's up and the way that is forward, in the body's frame as it stands in the pose.
        height: of the body in the pose, m.
        falls: whether it can get lower or lean.
    """

    body: int
    kind: str
    qpos: int
    dof: int
    slides: np.ndarray
    axes: np.ndarray
    up: np.ndarray
    forward: np.ndarray
    height: float
    falls: bool

    def rotation(self, simulation: Simulation) -> np.ndarray:
        """From the body's frame to the world's, ``[N, 3, 3]``."""
        if self.kind == FREE:  # of this very state, where derived fields are those of a substep before
            return rotations(simulation.qpos[:, self.qpos + 3 : self.qpos + 7])
        return np.asarray(simulation.field("xmat")[:, self.body]).reshape(-1, 3, 3)

    def position(self, simulation: Simulation) -> np.ndarray:
        """In the world, m ``[N, 3]``."""
        if self.kind == FREE:
            return simulation.qpos[:, self.qpos : self.qpos + 3]
        return np.asarray(simulation.field("xpos")[:, self.body])

    def velocity(self, simulation: Simulation) -> np.ndarray:
        """In the world, m/s ``[N, 3]``; of a planar base, what its slides do; 0 of a fixed one."""
        if self.kind == FREE:
            return simulation.qvel[:, self.dof : self.dof + 3]
        return np.asarray(simulation.qvel[:, self.slides] @ self.axes)

    def spin(self, simulation: Simulation) -> np.ndarray:
        """Angular velocity in the body's frame, rad/s ``[N, 3]``; 0 of a base that is not free."""
        if self.kind == FREE:
            return simulation.qvel[:, self.dof + 3 : self.dof + 6]
        return np.zeros((simulation.num_envs, 3))

    def uprightness(self, simulation: Simulation) -> np.ndarray:
        """The cosine of the angle by which it leans, against its pose, ``[N]``."""
        return (self.rotation(simulation) @ self.up)[:, 2]

    def along(self, simulation: Simulation) -> np.ndarray:
        """Velocity forward and to the left of where it looks, and rate of turning to the left, ``[N, 3]``.

        A free base looks where its own forward points, seen from above; one that looks straight up goes nowhere.
        """
        rotation = self.rotation(simulation) if self.kind == FREE else np.eye(3)[None]
        ahead = (rotation @ self.forward)[:, :2]
        length = np.sqrt(np.vecdot(ahead, ahead))[:, None]
        ahead = np.divide(ahead, length, out=np.zeros_like(ahead), where=length > 1e-6)
        velocity = self.velocity(simulation)[:, :2]
        left = np.stack((-ahead[:, 1], ahead[:, 0]), axis=1)
        turning = np.vecdot(rotation[:, 2], self.spin(simulation))
        return np.stack((np.vecdot(velocity, ahead), np.vecdot(velocity, left), turning), axis=1)


def base_of(
    simulation: Simulation, base: str = "", keyframe: str = "", direction: Sequence[float] = (1.0, 0.0)
) -> Base:
    """The base of the simulated robot, found once; arguments and errors as of ``find_base``."""
    asked = ("base", base, keyframe, *direction)
    return once(simulation, asked, lambda: find_base(simulation.model, base, keyframe, direction))


def find_base(model: mujoco.MjModel, base: str, keyframe: str, direction: Sequence[float]) -> Base:
    """The base of a model.

    Args:
        model: of the robot.
        base: name of a body that hangs on the world; empty: the one with the most joints on it and below.
        keyframe: names the pose in which it stands upright, as ``pose_of`` understands it.
        direction: x and y of the way that is forward, in the world, in that pose.

    Raises:
        PgrobotError: no such body or pose, or it is no direction.
    """
    body = _chosen(model, base)
    ahead = np.asarray(direction, dtype=np.float64)
    if ahead.shape != (2,) or not np.isfinite(ahead).all() or not ahead.any():
        raise PgrobotError(
            f"task.direction={list(direction)} has to be two numbers, x and y, that are not both 0."
        )
    data = mujoco.MjData(model)
    data.qpos[:] = pose_of(model, keyframe)
    mujoco.mj_kinematics(model, data)
    rotation = data.xmat[body].reshape(3, 3)
    joints = range(model.body_jntadr[body], model.body_jntadr[body] + model.body_jntnum[body])
    free = any(model.jnt_type[j] == FREE_JOINT for j in joints)
    slides = [] if free else [j for j in joints if _carries(model, data, j)]
    first = next(iter(joints), -1)
    return Base(
        body=body,
        kind=FREE if free else PLANAR if slides else FIXED,
        qpos=int(model.jnt_qposadr[first]) if first >= 0 else -1,
        dof=int(model.jnt_dofadr[first]) if first >= 0 else -1,
        slides=model.jnt_dofadr[slides].astype(np.intp),
        axes=data.xaxis[slides].reshape(-1, 3).copy(),
        up=rotation.T @ UP,
        forward=rotation.T @ (*(ahead / np.linalg.norm(ahead)), 0.0),
        height=float(data.xpos[body, 2]),
        falls=free or any(_sinks(model, data, j) for j in joints),
    )


def rotations(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices ``[N, 3, 3]`` of quaternions ``[N, 4]``, which need not have the length 1."""
    unit = quaternions / np.sqrt(np.vecdot(quaternions, quaternions))[:, None]
    w, x, y, z = unit.T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


def roots(model: mujoco.MjModel) -> dict[str, int]:
    """The bodies that hang on the world, by name, each with how many joints it and what is below have."""
    below = np.bincount(model.body_rootid[model.jnt_bodyid], minlength=model.nbody)
    names = body_names(model)
    return {names[b]: int(below[b]) for b in range(1, model.nbody) if model.body_parentid[b] == 0}


def driven(model: mujoco.MjModel, joint: int) -> bool:
    """Whether an actuator drives a joint by itself."""
    return bool(np.any(np.isin(model.actuator_trntype, JOINTS) & (model.actuator_trnid[:, 0] == joint)))


def _chosen(model: mujoco.MjModel, base: str) -> int:
    candidates = roots(model)
    if base and base not in candidates:
        raise PgrobotError(
            f"task.base={base} is no body that hangs on the world itself: {nearest(base, candidates)}"
        )
    name = base or max(candidates, key=lambda each: candidates[each], default="")
    return body_names(model).index(name) if name else 0


def _carries(model: mujoco.MjModel, data: mujoco.MjData, joint: int) -> bool:
    """Whether a joint of the base carries it along the floor, as nothing drives or limits it."""
    slides = model.jnt_type[joint] == SLIDE and not model.jnt_limited[joint] and not driven(model, joint)
    return bool(slides and abs(data.xaxis[joint, 2]) < 1e-6)


def _sinks(model: mujoco.MjModel, data: mujoco.MjData, joint: int) -> bool:
    """Whether a joint of the base lets it sink or lean, as nothing drives it."""
    steepness = abs(data.xaxis[joint, 2])
    leans = model.jnt_type[joint] == HINGE and steepness < 1.0 - 1e-6
    sinks = model.jnt_type[joint] == SLIDE and steepness > 1e-6
    return bool((leans or sinks) and not driven(model, joint))
