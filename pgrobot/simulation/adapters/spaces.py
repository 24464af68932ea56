"""Observations of Gymnasium's spaces as flat rows and images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from pgrobot.errors import PgrobotError
from pgrobot.simulation.results import NUMBERS, as_array, shown_result
from pgrobot.types import MOST_IN_AN_ARRAY, ObservationGroup, ObservationPart, unseen_image

WHOLE = "policy"  # the group of an observation that is one array
Path = tuple[str | int, ...]  # keys and indices, from the whole observation to a part of it


def groups(name: str, space: gymnasium.Space) -> dict[str, ObservationGroup]:
    """The observation groups: every array of a Dict or Tuple by itself, called by its keys, ``robot/arm``.

    An observation that is nothing but one array is the group ``policy``.

    Raises:
        PgrobotError: it has no flat form of a fixed width, an array of numbers that is too large for one, or two
            arrays of the same name.
    """
    if not space.is_np_flattenable:
        raise PgrobotError(
            f"{name} observes a {type(space).__name__}, which has no flat form of a fixed width."
        )
    found: dict[str, ObservationGroup] = {}
    for path, leaf in _leaves(space, ()):
        group, shape = _called(path), leaf.shape or ()
        if group in found:
            raise PgrobotError(f"{name} observes two arrays called {group!r}: give one of them another key.")
        if _is_image(leaf):
            found[group] = ObservationGroup.numbered(group, shape, "uint8")
            continue
        if isinstance(leaf, spaces.Box) and len(shape) > 1 and math.prod(shape) > MOST_IN_AN_ARRAY:
            raise unseen_image(name, group, shape, str(leaf.dtype))
        found[group] = ObservationGroup.numbered(group, (int(spaces.flatdim(leaf)),))
    return found


def parts(space: gymnasium.Space) -> tuple[ObservationPart, ...]:
    """How an observation of the space becomes rows, for whoever acts without it; none where that cannot be said."""
    found = []
    for path, leaf in _leaves(space, ()):
        choices: tuple[int, ...] = ()
        start: tuple[int, ...] = ()
        match leaf:
            case spaces.Discrete():
                choices, start = (int(leaf.n),), (int(leaf.start),)
            case spaces.MultiDiscrete():
                choices, start = (tuple(np.ravel(value).tolist()) for value in (leaf.nvec, leaf.start))
            case spaces.Box() | spaces.MultiBinary():
                pass
            case _:
                return ()
        found.append(ObservationPart(path, _called(path), leaf.shape or (), choices, start))
    return tuple(found)


def rows(name: str, space: gymnasium.Space, found: Any) -> dict[str, np.ndarray]:
    """An observation as a row of each group: numbers ``[D]`` float64, images uint8 in the environment's own memory.

    Numbers stay what they are, whatever type of number the space declares: a cast to a declared ``int64`` would cut
    fractions off.

    Raises:
        PgrobotError: it is not what the space declares.
    """
    return {
        _called(path): array if _is_image(leaf) else np.array(array, dtype=np.float64).ravel()
        for path, leaf, array in _parts(name, space, found, ())
    }


def _called(path: Path) -> str:
    return "/".join(map(str, path)) or WHOLE


def _is_image(space: gymnasium.Space) -> bool:
    return isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) > 1


def _leaves(space: gymnasium.Space, path: Path) -> Iterator[tuple[Path, gymnasium.Space]]:
    match space:
        case spaces.Dict():
            children: list[tuple[str | int, gymnasium.Space]] = list(space.spaces.items())
        case spaces.Tuple():
            children = list(enumerate(space.spaces))
        case _:
            yield path, space
            return
    for key, child in children:
        yield from _leaves(child, (*path, key))


def _parts(
    name: str, space: gymnasium.Space, found: Any, path: Path
) -> Iterator[tuple[Path, gymnasium.Space, np.ndarray]]:
    match space:
        case spaces.Dict():
            if not isinstance(found, Mapping) or found.keys() != space.spaces.keys():
                raise _other(name, path, f"a dict of {', '.join(map(str, space.spaces))}", found)
            children: list[tuple[str | int, gymnasium.Space]] = list(space.spaces.items())
        case spaces.Tuple():
            if not isinstance(found, tuple | list) or len(found) != len(space.spaces):
                raise _other(name, path, f"a tuple of {len(space.spaces)}", found)
            children = list(enumerate(space.spaces))
        case spaces.Box():
            array = as_array(found)
            wanted = array.dtype == np.uint8 if _is_image(space) else array.dtype.kind in NUMBERS
            if not wanted or array.shape != space.shape:
                raise _other(name, path, f"{space.dtype} {space.shape}", found)
            yield path, space, array
            return
        case _:
            try:
                array = as_array(spaces.flatten(space, found))
            except Exception as error:  # each space has its own
                raise _other(name, path, str(space), found) from error
            if array.shape != (spaces.flatdim(space),):
                raise _other(name, path, str(space), found)
            yield path, space, array
            return
    for key, child in children:
        yield from _parts(name, child, found[key], (*path, key))


def _other(name: str, path: Path, declared: str, found: Any) -> PgrobotError:
    where = "".join(f"[{key!r}]" for key in path)
    return PgrobotError(
        f"{name} declares observation{where} as {declared}, and returned {shown_result(found)}: its "
        "observation_space has to say what it returns."
    )
