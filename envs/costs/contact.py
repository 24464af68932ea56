"""Touching what must not be touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.ranges import at_least
from pgrobot.simulation.sensors import ADDED
from pgrobot.simulation.simulation import Simulation

from .choice import ALL, Chosen
from .violations import Violations, check_substeps

BODY, GEOM = mujoco.mjtObj.mjOBJ_BODY, mujoco.mjtObj.mjOBJ_GEOM
DATA = mujoco.mjtConDataField
FOUND_AND_FORCE = 1 << int(DATA.mjCONDATA_FOUND) | 1 << int(DATA.mjCONDATA_FORCE)
NET, ONE, WIDTH = 3, 1, 4  # of a sensor: it adds up all contacts, in one row: how many, and their force
Named = tuple[mujoco.mjtObj, str]


@dataclass(frozen=True)
class Contact:
    """Bodies or geoms that touch others, with more force than ``force``.

    A pattern that names bodies means those, with all their own geoms; else geoms.

    Attributes:
        parts: names or patterns of what shall not touch, each a part of the cost.
        against: what they shall not touch; ``all``: anything.
        force: what all contacts of a part with one of these may press together, N; 0: not at all.
        substeps: ``worst`` or ``last``.
    """

    parts: Chosen
    against: Chosen
    force: Annotated[float, at_least(0.0)]
    substeps: str

    def equip(self, spec: mujoco.MjSpec, name: str) -> None:
        """Add a sensor for every pair; raises PgrobotError where the model lacks a name."""
        key = f"constraint.{name}.cost"
        if self.parts == ALL:
            raise PgrobotError(f"{key}.parts cannot be all: name the bodies or geoms that shall not touch")
        others: Sequence[Named] = [(mujoco.mjtObj.mjOBJ_UNKNOWN, "")]
        if self.against != ALL:
            others = _named(f"{key}.against", self.against, spec)
        for part in _named(f"{key}.parts", self.parts, spec):
            for k, other in enumerate(others):
                spec.add_sensor(
                    name=f"{ADDED}{name}/{k}/{part[1]}",
                    type=mujoco.mjtSensor.mjSENS_CONTACT,
                    objtype=part[0],
                    objname=part[1],
                    reftype=other[0],
                    refname=other[1],
                    intprm=[FOUND_AND_FORCE, NET, ONE],
                )

    def bind(self, simulation: Simulation, name: str = "contact") -> Violations:
        """Raises PgrobotError for substeps that there are not."""
        check_substeps(name, self.substeps)
        model, prefix = simulation.model, f"{ADDED}{name}/"
        found: dict[str, list[int]] = {}
        for s in range(model.nsensor):
            sensor = model.sensor(s).name
            if sensor.startswith(prefix):
                part = sensor.removeprefix(prefix).partition("/")[2]
                found.setdefault(part, []).append(int(model.sensor_adr[s]))
        at = np.array(list(found.values()))  # [J, K]
        batch = simulation.batch
        data = (
            batch.by_substep("sensordata") if self.substeps == "worst" else batch.field("sensordata")[:, None]
        )
        return Violations(tuple(found), self._touching(data, at))

    def _touching(self, data: np.ndarray, at: np.ndarray) -> Callable[[], np.ndarray]:
        if not self.force:
            return lambda: np.any(data[..., at] > 0.0, axis=(1, 3))
        columns, most = at[..., None] + np.arange(1, WIDTH), self.force**2
        return lambda: np.any(np.square(data[..., columns]).sum(axis=-1) > most, axis=(1, 3))


def _named(key: str, wanted: str | Sequence[str], spec: mujoco.MjSpec) -> list[Named]:
    """What each pattern means, without repetition."""
    bodies, geoms = ([each.name for each in parts if each.name] for parts in (spec.bodies, spec.geoms))
    found: list[Named] = []
    for pattern in [wanted] if isinstance(wanted, str) else wanted:
        meant = [(BODY, body) for body in bodies if fnmatchcase(body, pattern)]
        meant = meant or [(GEOM, geom) for geom in geoms if fnmatchcase(geom, pattern)]
        if not meant:
            raise PgrobotError(
                f"{key} names {pattern!r}, and the model has no such body or geom: "
                f"{nearest(pattern, {*bodies, *geoms})}"
            )
        found += meant
    return list(dict.fromkeys(found))
