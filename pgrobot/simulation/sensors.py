"""Sensors that a cost adds to a robot's model, in which MuJoCo itself measures what no field of its data says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import mujoco

from pgrobot.errors import PgrobotError

if TYPE_CHECKING:
    from pgrobot.simulation.task import Robot

ADDED = "pgrobot/"  # begins the names of such sensors; they come after the model's own


@runtime_checkable
class Sensing(Protocol):
    """A cost that adds sensors, which change nothing of the motion."""

    def equip(self, spec: mujoco.MjSpec, name: str) -> None:
        """Add them for the constraint ``name``, called ``ADDED``, the constraint's name and what they like.

        Raises:
            PgrobotError: there is nothing in the model that could be measured.
        """
        ...


def equipped(robot: Robot, costs: Mapping[str, Any]) -> mujoco.MjModel:
    """The model that a robot simulates, with the sensors that its costs add.

    Raises:
        PgrobotError: the robot builds its model so that nothing can be added, or MuJoCo cannot compile it.
    """
    sensing = {name: cost for name, cost in costs.items() if isinstance(cost, Sensing)}
    if not sensing:
        return robot.build_model()
    kinds = type(robot).__mro__
    by_model, by_spec = (
        next(place for place, kind in enumerate(kinds) if method in vars(kind))
        for method in ("build_model", "build_spec")
    )
    if by_model < by_spec:
        name = next(iter(sensing))
        raise PgrobotError(
            f"constraint {name!r} adds sensors to the model before it is compiled, and {kinds[by_model].__name__} "
            "compiles its own in build_model: let it have a method build_spec that returns the mujoco.MjSpec with all "
            "that it adds, and build_model return self.build_spec().compile(); or leave the constraint out with "
            f"~constraint.{name}."
        )
    spec = robot.build_spec()
    for name, cost in sensing.items():
        cost.equip(spec, name)
    try:
        return spec.compile()
    except ValueError as error:
        raise PgrobotError(f"MuJoCo cannot add sensors to the model of {robot.title}: {error}") from error


def own_sensordata(model: mujoco.MjModel) -> int:
    """How many numbers the sensors of the model itself give, which come first."""
    added = [s for s in range(model.nsensor) if model.sensor(s).name.startswith(ADDED)]
    return int(model.sensor_adr[added[0]]) if added else int(model.nsensordata)
