"""What a config says of pushes: ``variation.<name>`` with an ``impulse`` or a ``velocity``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pgrobot.errors import PgrobotError, nearest, shown
from pgrobot.ranges import is_number
from pgrobot.simulation.variation.schedule import Schedule, checked_schedule, schedule_of

IMPULSE, VELOCITY = "impulse", "velocity"
PUSHES = (IMPULSE, VELOCITY)
AXES = "xyz"
KEYS = (*PUSHES, "body", "interval", "axes", "schedule")
INTERVAL = [2.0, 5.0]  # s


@dataclass(frozen=True, slots=True)
class Push:
    """What pushes a robot again and again.

    Attributes:
        body: at whose centre of mass; empty: the first of the model.
        kind: ``impulse``, N·s; ``velocity``: what it would give a robot that flies freely, m/s.
        low, high: its size lies between them.
        interval: the least and the greatest time from one push to the next, s.
        axes: of the world, by number, in which it may point.
        schedule: how much of the size is drawn as training goes on.
    """

    body: str
    kind: str
    low: float
    high: float
    interval: tuple[float, float]
    axes: tuple[int, ...]
    schedule: Schedule


def is_push(node: Any) -> bool:
    """Whether a node says of a push."""
    return isinstance(node, Mapping) and any(kind in node for kind in PUSHES)


def push_of(node: Mapping[str, Any]) -> Push:
    """The push that a checked node says."""
    kind = next(kind for kind in PUSHES if kind in node)
    low, high = node[kind]
    soonest, latest = node.get("interval", INTERVAL)
    axes = tuple(AXES.index(axis) for axis in node.get("axes", ["x", "y"]))
    return Push(
        node.get("body", ""), kind, low, high, (soonest, latest), axes, schedule_of(node.get("schedule", {}))
    )


def checked_push(path: str, node: Mapping[str, Any]) -> dict[str, Any]:
    """The node of a push, its numbers in their types.

    Raises:
        PgrobotError: names the first key that is unknown or out of range.
    """
    for key in node:
        if key not in KEYS:
            raise PgrobotError(f"{path} is a push, which has no key {str(key)!r}: {nearest(str(key), KEYS)}")
    kinds = [kind for kind in PUSHES if kind in node]
    if len(kinds) > 1:
        raise PgrobotError(f"{path} needs one of impulse and velocity, not both")
    found = {kinds[0]: bounds(f"{path}.{kinds[0]}", node[kinds[0]])}
    if found[kinds[0]][0] < 0.0:
        raise PgrobotError(
            f"{path}.{kinds[0]} begins at {found[kinds[0]][0]:g}, and a push is at least 0: {path}.axes says in which "
            "directions it may point"
        )
    if "interval" in node:
        found["interval"] = bounds(f"{path}.interval", node["interval"])
        if found["interval"][0] <= 0.0:
            raise PgrobotError(f"{path}.interval begins at {found['interval'][0]:g} s: it has to be above 0")
    axes = node.get("axes", ["x"])
    if not isinstance(axes, list) or not axes or len(set(axes)) < len(axes) or not set(axes) <= set(AXES):
        raise PgrobotError(f"{path}.axes must be a list of some of x, y and z, not {shown(axes)}")
    if not isinstance(node.get("body", ""), str):
        raise PgrobotError(f"{path}.body must be the name of a body, not {shown(node['body'])}")
    if "schedule" in node:
        return {**node, **found, "schedule": checked_schedule(f"{path}.schedule", node["schedule"])}
    return {**node, **found}


def bounds(path: str, value: Any) -> list[float]:
    """Two bounds; a single number is both.

    Raises:
        PgrobotError: they are none, or the first is the greater one.
    """
    ends = value if isinstance(value, list) else [value, value]
    if len(ends) != 2 or not all(is_number(end) and math.isfinite(end) for end in ends):
        raise PgrobotError(
            f"{path} must be two finite numbers, such as [0.8, 1.2], or one, not {shown(value)}"
        )
    low, high = map(float, ends)
    if low > high:
        raise PgrobotError(
            f"{path} is [{low:g}, {high:g}], whose first number is the greater one: the lower first"
        )
    return [low, high]
