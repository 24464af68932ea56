"""MuJoCo models: where they come from and what their parts are called."""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import count
from pathlib import Path

import mujoco

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.menagerie import SCHEME, menagerie_model
from pgrobot.simulation.units import JOINTS


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
    """Where the model that a user names lies: at a path, or, for one word, among gymnasium's models, or in Menagerie.

    A word that names one of gymnasium's models never means a file of the working directory; where there is such a file,
    it is not clear which one is meant.

    Raises:
        PgrobotError: no such file, or there are two that may be meant.
    """
    if xml_file.startswith(SCHEME):
        return menagerie_model(xml_file)
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


def specified(path: Path) -> mujoco.MjSpec:
    """A MJCF file to be added to before it is compiled.

    Raises:
        PgrobotError: MuJoCo cannot compile the file as it is; the message carries its own.
    """
    compiled(path)
    return mujoco.MjSpec.from_file(str(path))


def joint_names(model: mujoco.MjModel) -> tuple[str, ...]:
    """Names of the joints, each another; a joint without one is called by the body it moves."""
    own = [model.joint(j).name for j in range(model.njnt)]
    bodies = body_names(model)
    return _completed(own, [bodies[body] for body in model.jnt_bodyid])


def tendon_names(model: mujoco.MjModel) -> tuple[str, ...]:
    """Names of the tendons, each another."""
    own = [model.tendon(t).name for t in range(model.ntendon)]
    return _completed(own, [f"tendon{t}" for t in range(model.ntendon)])


def geom_names(model: mujoco.MjModel) -> tuple[str, ...]:
    """Names of the geoms, each another; a geom without one is called by its body."""
    own = [model.geom(g).name for g in range(model.ngeom)]
    bodies = body_names(model)
    return _completed(own, [bodies[body] for body in model.geom_bodyid])


def actuator_names(model: mujoco.MjModel) -> tuple[str, ...]:
    """Names of the actuators, each another; an actuator without one is called by the joint it drives."""
    own = [model.actuator(a).name for a in range(model.nu)]
    return _completed(own, [joint or f"actuator{a}" for a, joint in enumerate(driven_joints(model))])


def driven_joints(model: mujoco.MjModel) -> tuple[str, ...]:
    """The joint that each actuator drives, by its name; empty where it drives something else."""
    joints = joint_names(model)
    targets = zip(model.actuator_trntype.tolist(), model.actuator_trnid[:, 0].tolist(), strict=True)
    return tuple(joints[joint] if kind in JOINTS else "" for kind, joint in targets)


def body_names(model: mujoco.MjModel) -> tuple[str, ...]:
    """Names of the bodies, each another."""
    own = [model.body(b).name for b in range(model.nbody)]
    return _completed(own, [f"body{b}" for b in range(model.nbody)])


def distinct(names: Sequence[str], taken: Iterable[str]) -> tuple[str, ...]:
    """The names, numbered where several share one or where it is taken: ``wheel_1``, ``wheel_2``."""
    shared, taken = Counter(names), set(taken)
    kept = {name for name in names if shared[name] == 1 and name not in taken}
    used, found = taken | kept, []
    for name in names:
        numbered = (f"{name}_{k}" for k in count(1))
        found.append(name if name in kept else next(one for one in numbered if one not in used))
        used.add(found[-1])
    return tuple(found)


def _completed(own: Sequence[str], otherwise: Sequence[str]) -> tuple[str, ...]:
    """Parts' own names, and others for those without, which are no part's own."""
    others = iter(
        distinct([other for name, other in zip(own, otherwise, strict=True) if not name], filter(None, own))
    )
    return tuple(name or next(others) for name in own)
