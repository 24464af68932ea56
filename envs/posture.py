"""The pose that a model stands in: one of its keyframes, or the positions that its file has."""

from __future__ import annotations

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError, nearest

DEFAULT = "qpos0"  # what MuJoCo calls the positions that the file has
USUAL = "home"


def keyframe_names(model: mujoco.MjModel) -> tuple[str, ...]:
    """The names of those keyframes that have one."""
    return tuple(filter(None, (model.key(k).name for k in range(model.nkey))))


def keyframe_of(model: mujoco.MjModel, keyframe: str) -> str:
    """The keyframe that is meant, or ``qpos0``.

    Args:
        model: has the keyframes.
        keyframe: the name of one, or ``qpos0``; empty: ``home`` where there is one, else the first that has a name,
            else ``qpos0``.

    Raises:
        PgrobotError: there is no such keyframe.
    """
    names = keyframe_names(model)
    if keyframe and keyframe not in (*names, DEFAULT):
        raise PgrobotError(
            f"task.keyframe={keyframe} is no keyframe of the model: {nearest(keyframe, (*names, DEFAULT))}"
        )
    return keyframe or (USUAL if USUAL in names else next(iter(names), DEFAULT))


def pose_of(model: mujoco.MjModel, keyframe: str) -> np.ndarray:
    """Positions ``[nq]`` of the keyframe that ``keyframe_of`` finds, a copy; raises PgrobotError as it does."""
    name = keyframe_of(model, keyframe)
    pose = model.qpos0 if name == DEFAULT else model.key(name).qpos
    return np.array(pose)


def state_of(model: mujoco.MjModel, keyframe: str) -> dict[str, np.ndarray]:
    """What else the keyframe that ``keyframe_of`` finds says of MuJoCo's state, by field, copies; nothing of ``qpos0``.

    Controls, activations and mocap bodies; raises PgrobotError as ``keyframe_of``.
    """
    name = keyframe_of(model, keyframe)
    if name == DEFAULT:
        return {}
    key = model.key(name)
    mocap = {"mocap_pos": key.mpos.reshape(-1, 3), "mocap_quat": key.mquat.reshape(-1, 4)}
    return {each: np.array(value) for each, value in {"act": key.act, "ctrl": key.ctrl, **mocap}.items()}


def velocity_of(model: mujoco.MjModel, keyframe: str) -> np.ndarray:
    """Velocities ``[nv]`` of the keyframe that ``keyframe_of`` finds, a copy, or zeros; raises as that does."""
    name = keyframe_of(model, keyframe)
    return np.zeros(model.nv) if name == DEFAULT else np.array(model.key(name).qvel)
