"""In what two policies or critics differ, in words; nothing where one can do what the other does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

from pgrobot.errors import shown
from pgrobot.types import EnvironmentSpec


def different(key: str, mine: Any, wanted: Any, *, lenient: bool = False) -> Iterator[str]:
    """Where two nodes of a config, as they are built, are not the same.

    Args:
        key: of the node here.
        mine: what stands here.
        wanted: what stands there.
        lenient: leave out what a class declares ``free_to_differ``: it says how weights begin or are learnt, not what
            they compute.
    """
    if isinstance(mine, partial) and isinstance(wanted, partial):
        if mine.func is not wanted.func:
            yield f"{key} is {wanted.func.__name__} there and {mine.func.__name__} here"
            return
        free = getattr(mine.func, "free_to_differ", ()) if lenient else ()
        for name in mine.keywords | wanted.keywords:
            if name not in free:
                one, other = (each.keywords.get(name) for each in (mine, wanted))
                yield from different(f"{key}.{name}", one, other, lenient=lenient)
    elif is_dataclass(mine) and type(mine) is type(wanted):
        for field in fields(mine):
            one, other = (getattr(each, field.name) for each in (mine, wanted))
            yield from different(f"{key}.{field.name}", one, other, lenient=lenient)
    elif mine != wanted:
        typed = str(wanted).replace(" ", "")
        yield f"{key} is {shown(mine)} here and {shown(wanted)} there, set {key}={typed}"


def different_entries(ours: list[str], theirs: list[str], here: str, there: str) -> Iterator[str]:
    """In which entries two networks differ that read them by these names, of environments of these names."""
    missing, new = [n for n in theirs if n not in ours], [n for n in ours if n not in theirs]
    if missing or new:
        words = [
            f"of {name} {', '.join(names[:3])}{' …' * (len(names) > 3)}"
            for name, names in ((there, missing), (here, new))
            if names
        ]
        yield f"it reads {' and this one '.join(words)}" if missing else f"this one reads {words[0]} as well"
    for mine, wanted in zip(ours, theirs, strict=False):
        if mine != wanted:
            yield f"it reads {wanted} where this one reads {mine}, set policy.groups to the same order"


def different_actuators(ours: EnvironmentSpec, theirs: EnvironmentSpec) -> Iterator[str]:
    """In which actions two environments differ, by their names and their numbers of choices."""
    if ours.actuators != theirs.actuators:
        yield f"it drives {', '.join(theirs.actuators)}, and {ours.name} has {', '.join(ours.actuators)}"
    for mine, wanted in zip(ours.actions, theirs.actions, strict=False):
        if mine.choices != wanted.choices:
            yield f"the action {mine.name} has {wanted.choices} choices there and {mine.choices} here"


def different_rate(ours: EnvironmentSpec, theirs: EnvironmentSpec) -> Iterator[str]:
    """Whether they act at another rate."""
    if not math.isclose(ours.control_dt, theirs.control_dt):
        yield f"it acts every {theirs.control_dt:g} s, and {ours.name} every {ours.control_dt:g} s"


def different_ranges(ours: EnvironmentSpec, theirs: EnvironmentSpec) -> Iterator[str]:
    """In what the same actions of two environments do, by unit, range and map."""
    rows = [
        [(a.name, a.unit, a.choices, float(low), float(high))
         for a, low, high in zip(spec.actions, spec.action_low, spec.action_high, strict=True)]
        for spec in (ours, theirs)
    ]  # fmt: skip
    for mine, wanted in zip(*rows, strict=False):
        if mine != wanted:
            words = [_range(*row[1:]) for row in (mine, wanted)]
            yield f"the action {mine[0]} is told {words[1]} there and {words[0]} here"
    for own, other in zip(ours.actions, theirs.actions, strict=False):
        if own.mapped != other.mapped:
            here, there = (list(a.mapped) or "those of its bounds" for a in (own, other))
            yield f"the action {own.name} has the offset and scale {there} there and {here} here, as task.actions says"


def _range(unit: str, choices: int, low: float, high: float) -> str:
    what = f"as one of {choices}" if choices else f"in {unit or 'an unknown unit'}"
    return f"{what}, from {low:g} to {high:g}"
