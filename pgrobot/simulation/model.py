"""MuJoCo models: where they come from and what their parts are called."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import mujoco

from pgrobot.errors import PgrobotError, nearest


@cache
def assets() -> Path:
    """Folder of the robot models inside the installed gymnasium package."""
    spec = importlib.util.find_spec("gymnasium")
    if spec is None or spec.origin is None:
        raise PgrobotError("the robot models come with the package gymnasium, which is not installed.")
    return Path(spec.origin).parent / "envs" / "mujoco" / "assets"


def load_model(xml_file: str) -> mujoco.MjModel:
    """Compile a MJCF file: a path, or the name of one of gymnasium's models.

    Raises:
        PgrobotError: no such file, or MuJoCo cannot compile it; the message carries MuJoCo's own.
    """
    path = Path(xml_file).expanduser()
    if not path.is_absolute() and not path.exists():
        path = assets() / xml_file
    if not path.is_file():
        names = nearest(xml_file, (file.name for file in assets().glob("*.xml")))
        raise PgrobotError(f"there is no MJCF file '{xml_file}', nor a model of that name: {names}")
    try:
        return mujoco.MjModel.from_xml_path(str(path))
    except ValueError as error:
        raise PgrobotError(f"MuJoCo cannot compile {path}: {error}") from error


def joint_name(model: mujoco.MjModel, joint: int) -> str:
    """Name of a joint; the body it moves where it has none."""
    return model.joint(joint).name or model.body(model.jnt_bodyid[joint]).name or f"joint{joint}"


def actuator_name(model: mujoco.MjModel, actuator: int) -> str:
    """Name of an actuator; the joint it drives where it has none."""
    name = model.actuator(actuator).name
    drives_joint = int(model.actuator_trntype[actuator]) in (
        mujoco.mjtTrn.mjTRN_JOINT,
        mujoco.mjtTrn.mjTRN_JOINTINPARENT,
    )
    if not name and drives_joint:
        name = joint_name(model, int(model.actuator_trnid[actuator, 0]))
    return name or f"actuator{actuator}"
