"""Observations as whoever acts has them: checked, and brought into rows of the groups that a policy reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.types import EnvironmentSpec, ObservationGroup, ObservationPart

_NUMBERS = "biuf"  # kinds of NumPy's that are real numbers
_LISTED = 6
_MOST = np.float64(np.finfo(np.float32).max)  # a policy reads single precision


class ObservationReader:
    """Takes an observation in any of its forms: of one environment or of ``N``, whole or by groups.

    A policy that reads one group takes an array, one that reads several a dict of them, in which groups that it does
    not read may be left out. What an environment of another library shows is taken as that gives it, too.

    Args:
        spec: of the environment.
        groups: the groups that are read.
    """

    def __init__(self, spec: EnvironmentSpec, groups: Sequence[str]) -> None:
        self.groups = {name: spec.observation[name] for name in groups}
        self._known = tuple(spec.observation)
        self._by_group = tuple(
            ObservationPart((name,), name, group.shape, (), ()) for name, group in self.groups.items()
        )
        parts = tuple(part for part in spec.parts if part.group in self.groups)
        # A wrapper may show something else than the environment does.
        fits = all(_width(name, parts) == group.width for name, group in self.groups.items())
        self._native = parts if fits else ()
        self._keys = {part.path[0] for part in spec.parts if part.path} if fits else set()

    def __call__(self, observation: Any) -> tuple[dict[str, np.ndarray], bool]:
        """Read an observation.

        Returns:
            The groups, ``[N, …]`` each, and whether it was that of a single environment, without ``N``.

        Raises:
            PgrobotError: it has other groups, another width or type, or a number that is not finite.
        """
        told: dict[str, list[np.ndarray]] = {name: [] for name in self.groups}
        alone = set()
        for part, found in self._parts(observation):
            row, single = _read(part, self.groups[part.group], found)
            told[part.group].append(row)
            alone.add((single, len(row)))
        if len(alone) > 1:
            raise PgrobotError("the parts of an observation are of different numbers of environments")
        rows = {name: row[0] if len(row) == 1 else np.concatenate(row, -1) for name, row in told.items()}
        for name, row in rows.items():
            if not (self.groups[name].image or (np.abs(row) <= _MOST).all()):
                raise _not_finite(self.groups[name], row)
        return rows, alone.pop()[0]

    def _parts(self, observation: Any) -> list[tuple[ObservationPart, Any]]:
        """The parts that are read, with what the observation holds of each."""
        if not isinstance(observation, Mapping) and not (isinstance(observation, tuple) and 0 in self._keys):
            return [(self._whole(observation), observation)]
        keys = range(len(observation)) if isinstance(observation, tuple) else observation.keys()
        parts = self._native if self._keys and self._keys.issuperset(keys) else self._by_group
        for key in keys if parts is self._by_group else ():
            if key not in self._known:
                raise PgrobotError(
                    f"there is no observation {key!r}: {nearest(str(key), {*self._known, *map(str, self._keys)})}"
                )
        return [(part, _at(part, observation)) for part in parts]

    def _whole(self, observation: Any) -> ObservationPart:
        """What an observation that is no dict is."""
        if len(self._native) == 1 and not self._native[0].path:
            shape, native = _shape(observation), self._native[0]
            if native.shape in (shape, shape[1:]):
                return native
            row = self.groups[native.group].shape
            if native.choices and row not in (shape, shape[1:]):
                raise PgrobotError(
                    f"observation {native.group!r} has the shape {shape}; the policy reads whole numbers of the shape "
                    f"{native.shape}, or (N, …) of so many environments, or one-hot rows (N, {row[0]})"
                )
        if len(self._by_group) == 1:
            return self._by_group[0]
        raise PgrobotError(
            f"the policy reads {', '.join(map(repr, self.groups))}: give a dict of them, not a "
            f"{type(observation).__name__}"
        )


def _shape(observation: Any) -> tuple[int, ...]:
    try:
        return np.shape(observation)
    except ValueError:  # a ragged list
        return (-1,)


def _at(part: ObservationPart, observation: Any) -> Any:
    found = observation
    for key in part.path:
        try:
            found = found[key]
        except (KeyError, IndexError, TypeError) as error:
            raise PgrobotError(f"the observation lacks {_called(part)!r}, which the policy reads") from error
    return found


def _read(part: ObservationPart, group: ObservationGroup, found: Any) -> tuple[np.ndarray, bool]:
    """A part as it lies in its group's row, ``[N, …]``, and whether it was given without ``N``."""
    try:
        array = np.asarray(found)
    except (TypeError, ValueError, RuntimeError):  # a ragged list, a tensor with a gradient
        array = np.array(None, dtype=object)
    if array.dtype.kind not in _NUMBERS or (group.image and array.dtype != np.uint8):
        wanted = "an image of uint8" if group.image else "numbers"
        raise PgrobotError(f"observation {_called(part)!r} has to be {wanted}, not {_kind(found, array)}")
    single = array.shape == part.shape
    if not single and (array.ndim == 0 or array.shape[1:] != part.shape):
        raise PgrobotError(
            f"observation {_called(part)!r} has the shape {array.shape}; the policy reads {part.shape}, or (N, …) of "
            f"so many environments: {_some(group.names)}"
        )
    rows = array[None] if single else array
    if not len(rows):
        raise PgrobotError(f"observation {_called(part)!r} is of no environment: its shape is {array.shape}")
    if part.choices:
        return _chosen(part, rows.reshape(len(rows), -1)), single
    return rows.reshape(len(rows), *group.shape) if part.shape == group.shape else rows.reshape(
        len(rows), -1
    ), single


def _chosen(part: ObservationPart, rows: np.ndarray) -> np.ndarray:
    """As many numbers for each choice as there are, of which one is 1."""
    place, most = rows - np.asarray(part.start), np.asarray(part.choices)
    if not ((place >= 0) & (place < most) & (place == np.rint(place))).all():
        least = list(part.start)
        raise PgrobotError(
            f"observation {_called(part)!r} is {rows.tolist()}; it has to be whole numbers from {least} to "
            f"{(most + least - 1).tolist()}"
        )
    whole = place.astype(np.int64)
    return np.concatenate([np.eye(count)[whole[:, i]] for i, count in enumerate(part.choices)], -1)


def _not_finite(group: ObservationGroup, rows: np.ndarray) -> PgrobotError:
    flat = rows.reshape(len(rows), -1)
    at = np.argwhere(~(np.abs(flat) <= _MOST))
    names = list(dict.fromkeys(group.names[column] for _, column in at))
    row = f" of row {at[0, 0]}" if len(flat) > 1 else ""
    found = flat[tuple(at[0])]
    single = " in single precision" if np.isfinite(found) else ""
    return PgrobotError(f"the observation is not finite{single}: {found} in {_some(names)}{row}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def _kind(found: Any, array: np.ndarray) -> str:
    if isinstance(found, np.ndarray) and array.dtype.kind == "O":
        return "an array of objects: give it a type of numbers, .astype(float)"
    return f"a {type(found).__name__}" if array.dtype.kind == "O" else f"{array.dtype}"


def _called(part: ObservationPart) -> str:
    return "/".join(map(str, part.path)) or part.group


def _width(group: str, parts: Sequence[ObservationPart]) -> int:
    return sum(sum(part.choices) or math.prod(part.shape) for part in parts if part.group == group)
