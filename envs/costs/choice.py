"""Which joints or actuators a cost looks at, and the limit of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any

import numpy as np

from pgrobot.errors import PgrobotError, nearest, shown
from pgrobot.ranges import Range, is_number

ALL = "all"
REST = "*"


def _is_choice(value: Any) -> bool:
    listed = isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)
    return listed or (isinstance(value, str) and bool(value))


def _is_limit(value: Any) -> bool:
    listed = isinstance(value, dict) and bool(value) and all(map(is_number, value.values()))
    return listed or is_number(value)


def _as_limit(value: Any) -> float | dict[str, float]:
    return {str(k): float(v) for k, v in value.items()} if isinstance(value, dict) else float(value)


# The parts that are looked at: names or patterns of such, or all.
Chosen = Annotated[
    str | Sequence[str],
    Range(
        _is_choice,
        lambda value: value,
        lambda value: f"must be all, or a list of names or patterns, such as [knee,hip*], not {shown(value)}",
    ),
]
# One limit for all of them, or limits by name or pattern.
Limit = Annotated[
    float | Mapping[str, float],
    Range(
        _is_limit,
        _as_limit,
        lambda value: (
            f"must be a number, or numbers by name, such as {{knee:8.0,*:12.0}}, not {shown(value)}"
        ),
    ),
]


@dataclass(frozen=True, slots=True)
class Part:
    """Something that may be named.

    Attributes:
        name: its name.
        other: another name that means it too, such as that of the joint which an actuator drives; empty: none.
    """

    name: str
    other: str

    def is_named(self, pattern: str) -> bool:
        """Whether a name or pattern means it."""
        return fnmatchcase(self.name, pattern) or bool(self.other and fnmatchcase(self.other, pattern))


def chosen(
    key: str, word: str, wanted: str | Sequence[str], parts: Sequence[Part], unfit: Mapping[str, str]
) -> np.ndarray:
    """The indices of the parts that are wanted, in the order of the model.

    Args:
        key: says which are, for the message.
        word: what a part is called.
        wanted: names or patterns, or ``all``.
        parts: all that can be looked at.
        unfit: why others cannot, by their names.

    Raises:
        PgrobotError: a name or pattern means none of them.
    """
    if wanted == ALL:
        return np.arange(len(parts))
    patterns = [wanted] if isinstance(wanted, str) else wanted
    for pattern in patterns:
        if any(part.is_named(pattern) for part in parts):
            continue
        for name, why in unfit.items():
            if fnmatchcase(name, pattern):
                raise PgrobotError(f"{key} names {pattern!r}, but {why}: {_near(pattern, parts)}")
        known = _near(pattern, [*parts, *(Part(name, "") for name in unfit)])
        raise PgrobotError(f"{key} names {pattern!r}, and the model has no such {word}: {known}")
    return np.flatnonzero([any(part.is_named(pattern) for pattern in patterns) for part in parts])


def limits(
    key: str,
    word: str,
    given: float | Mapping[str, float],
    parts: Sequence[Part],
    able: Sequence[Part],
    check: Callable[[str, float], None],
) -> np.ndarray:
    """The limit of each part, ``[J]``.

    Of several that mean a part its name counts before a pattern, a pattern before ``*``, and of patterns the last.

    Args:
        key: says what they are, for the message.
        word: what a part is called.
        given: one for all, or by names and patterns.
        parts: that are looked at.
        able: all that could be: a limit of one that is not looked at counts for nothing.
        check: refuses a value, given its key.

    Raises:
        PgrobotError: a name means none of them, or a part that is looked at has no limit; or what ``check`` raises.
    """
    if not isinstance(given, Mapping):
        check(key, given)
        return np.full(len(parts), given, dtype=np.float64)
    found = np.full(len(parts), np.nan)
    for pattern in sorted(given, key=_rank(parts)):
        check(f"{key}.{pattern}", given[pattern])
        if not any(part.is_named(pattern) for part in able):
            raise PgrobotError(
                f"{key} names {pattern!r}, which is no {word} that could be looked at: {_near(pattern, able)}"
            )
        found[[part.is_named(pattern) for part in parts]] = given[pattern]
    for part in (part for part, limit in zip(parts, found, strict=True) if np.isnan(limit)):
        raise PgrobotError(
            f"{key} has no limit for {word} {part.name!r}: add one for all others, {key}.{REST}=<value>, or leave "
            f"the {word} out"
        )
    return found


def _rank(parts: Sequence[Part]) -> Callable[[str], int]:
    names = {name for part in parts for name in (part.name, part.other)}
    return lambda pattern: 2 if pattern in names else 0 if pattern == REST else 1


def _near(pattern: str, parts: Sequence[Part]) -> str:
    return nearest(pattern, dict.fromkeys(part.name for part in parts))
