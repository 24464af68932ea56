"""Checks of a robot's options, so that a bad value is refused in one sentence before anything is built."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, get_type_hints

from pgrobot.errors import PgrobotError
from pgrobot.ranges import Range
from pgrobot.signatures import hint_of

Kind = tuple[str, Callable[[Any], bool]]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (_is_whole(value) or isinstance(value, float)) and not math.isnan(value)


def _is_range(value: Any) -> bool:
    two = isinstance(value, Sequence) and len(value) == 2 and all(_is_number(bound) for bound in value)
    return two and value[0] < value[1]


KINDS: dict[Any, Kind] = {
    str: ("a text", lambda value: isinstance(value, str)),
    bool: ("true or false", lambda value: isinstance(value, bool)),
    int: ("a whole number of at least 1", lambda value: _is_whole(value) and value >= 1),
    float: ("a finite number", lambda value: _is_number(value) and math.isfinite(value)),
    int | str: ("an index or a name", lambda value: _is_whole(value) or isinstance(value, str)),
    tuple[float, float]: ("two numbers, the lower first", _is_range),
}
SPECIAL: dict[str, Kind] = {
    "speed_threshold": ("a number", _is_number),  # infinite where none is known
    "reset_noise_scale": (
        "a finite number of at least 0",
        lambda value: _is_number(value) and 0 <= value < math.inf,
    ),
}


def check_options(robot: Any) -> None:
    """Check every field of a dataclass against its annotation, by the rule that stands in it or else by its type.

    Raises:
        PgrobotError: a value is of the wrong kind.
    """
    hints = get_type_hints(type(robot), include_extras=True)
    for option in dataclasses.fields(robot):
        value, hint = getattr(robot, option.name), hint_of(hints[option.name])
        if isinstance(hint.rule, Range) and hint.marks:
            hint.rule(f"task.{option.name}", value)
            continue
        kind = SPECIAL.get(option.name) or KINDS.get(hint.type)
        if kind and not kind[1](value):
            raise PgrobotError(f"task.{option.name} has to be {kind[0]}, got {value!r}.")
