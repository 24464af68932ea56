"""MuJoCo models: where they come from and what their parts are called."""

from __future__ import annotations

import importlib.util
import os
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


def built_in(name: str, robot: str) -> Path:
    """Where a robot's own model lies: an absolute path, or a name that is one of gymnasium's models, always.

    Raises:
        PgrobotError: it is neither.
    """
    path = Path(name)
    if path.is_absolute() or (assets() / name).is_file():
        return path if path.is_absolute() else assets() / name
    raise PgrobotError(
        f"{robot}.models has '{name}', which is neither an absolute path nor one of gymnasium's models: "
        f"write str(Path(__file__).parent / '{name}')."
    )


def typed(xml_file: str) -> Path:
    """Where the model that a user names lies: at a path, or, for one word, among gymnasium's models.

    A word that names one of gymnasium's models never means a file of the working directory; where there is such a file,
    it is not clear which one is meant.

    Raises:
        PgrobotError: no such file, or there are two that may be meant.
    """
    path, packaged = Path(xml_file).expanduser(), assets() / xml_file
    if os.path.basename(xml_file) != xml_file or not packaged.is_file():  # noqa: PTH119 - "./a.xml" is a path
        if path.is_file():
            return path
        names = nearest(xml_file, (file.name for file in assets().glob("*.xml")))
        raise PgrobotError(f"there is no MJCF file '{xml_file}', nor a model of that name: {names}")
    if path.is_file():
        raise PgrobotError(
            f"task.xml_file={xml_file} may mean the file ./{xml_file} or gymnasium's model of that name: "
            f"write ./{xml_file} for the file, or {packaged} for the other."
        )
    return packaged


def compiled(path: Path) -> mujoco.MjModel:
    """Compile a MJCF file.

    Raises:
        PgrobotError: MuJoCo cannot; the message carries its own.
    """
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
