"""Whether named parts of a robot touch anything: contact sensors that are added to its model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation import Simulation
from pgrobot.simulation.sensors import ADDED

PREFIX = f"{ADDED}/touch/"  # no constraint has an empty name
PARAMETER = "parts"  # of a function that asks what touches
FOUND = 1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND)
KINDS = {
    "geoms": mujoco.mjtObj.mjOBJ_GEOM,
    "bodies": mujoco.mjtObj.mjOBJ_BODY,
    "sites": mujoco.mjtObj.mjOBJ_SITE,
}


def touching(simulation: Simulation, parts: Sequence[str]) -> np.ndarray:
    """Whether each part touched something in the last substep, ``[N, P]`` bool.

    Args:
        simulation: of a robot whose model has their sensors, as ``add_contact_sensors`` adds them.
        parts: names of geoms, bodies or sites.

    Raises:
        PgrobotError: no names, or parts without a sensor.
    """
    check_names(parts)
    sensors = [
        mujoco.mj_name2id(simulation.model, mujoco.mjtObj.mjOBJ_SENSOR, PREFIX + part) for part in parts
    ]
    if min(sensors) < 0:
        raise PgrobotError(
            f"nobody feels what {parts[sensors.index(-1)]!r} touches: what is named by '{PARAMETER}' goes with "
            "task=robot, whose models have sensors of it"
        )
    felt = simulation.batch.field("sensordata")  # the robot's own field shows those of its file alone
    return np.asarray(felt[:, simulation.model.sensor_adr[sensors]] > 0.0)


def add_contact_sensors(spec: mujoco.MjSpec, parts: Iterable[str]) -> None:
    """Add a sensor of contact for each of some parts: geoms, else bodies, else sites of that name.

    Raises:
        PgrobotError: the model has no such part.
    """
    named = {
        "geoms": [geom.name for geom in spec.geoms],
        "bodies": [body.name for body in spec.bodies],
        "sites": [site.name for site in spec.sites],
    }
    for part in dict.fromkeys(parts):
        kind = next((kind for kind, names in named.items() if part in names), "")
        if not kind:
            every = {name for names in named.values() for name in names if name}
            raise PgrobotError(f"the model has no geom, body or site '{part}': {nearest(part, every)}")
        spec.add_sensor(
            name=PREFIX + part,
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            objtype=KINDS[kind],
            objname=part,
            intprm=[FOUND, 0, 1],
        )


def asked(functions: Iterable[Callable[..., Any]]) -> list[str]:
    """What the functions of a robot want to know the contacts of: the names in their parameter ``parts``."""
    found: list[str] = []
    for function in functions:
        given = function.keywords if isinstance(function, partial) else {}
        if PARAMETER in given:
            check_names(given[PARAMETER])
            found += given[PARAMETER]
    return found


def check_names(parts: object) -> None:
    """Raises PgrobotError where ``parts`` is no list of one name and more."""
    if (
        isinstance(parts, str)
        or not isinstance(parts, Sequence)
        or not all(isinstance(p, str) for p in parts)
    ):
        raise PgrobotError(f"'{PARAMETER}' has to be a list of names, such as [foot], not {parts!r}.")
    if not parts:
        raise PgrobotError(f"'{PARAMETER}' names nothing: give it geoms, bodies or sites, such as [foot].")
