"""Spaces of Gymnasium: observations as flat rows, actions in the space's own type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from pgrobot.errors import PgrobotError
from pgrobot.simulation.results import NUMBERS, as_array, shown_result

MOST_IN_AN_ARRAY = 1024  # numbers of an observation in several dimensions; more are taken for an image


def action_box(name: str, space: gymnasium.Space) -> spaces.Box:
    """The space of actions.

    Raises:
        PgrobotError: it is no Box.
    """
    if isinstance(space, spaces.Box):
        return space
    raise PgrobotError(
        f"{name} takes {type(space).__name__} actions; pgrobot trains continuous control, which needs a Box, "
        "e.g. task.id=Pendulum-v1."
    )


def as_action(space: spaces.Box, action: np.ndarray) -> np.ndarray:
    """An action ``[A]`` float64 within the bounds, as the space has it: whole numbers are rounded to the nearest."""
    whole = space.dtype.kind != "f"
    found: np.ndarray = (np.rint(action) if whole else action).reshape(space.shape).astype(space.dtype)
    return found


def width(name: str, space: gymnasium.Space) -> int:
    """How many numbers an observation is.

    Raises:
        PgrobotError: it has no flat form of a fixed width, or is an image.
    """
    if not space.is_np_flattenable:
        raise PgrobotError(
            f"{name} observes a {type(space).__name__}, which has no flat form of a fixed width."
        )
    _check_images(name, space)
    return int(spaces.flatdim(space))


def flat(name: str, space: gymnasium.Space, found: Any) -> np.ndarray:
    """An observation as a row ``[D]`` float64 of its own.

    Numbers stay what they are, whatever type of number the space declares: a cast to a declared ``uint8`` would cut
    fractions off.

    Raises:
        PgrobotError: it is not what the space declares.
    """
    parts = [np.asarray(part, dtype=np.float64).ravel() for part in _leaves(name, space, found, "")]
    return np.concatenate(parts)


def _leaves(name: str, space: gymnasium.Space, found: Any, where: str) -> list[np.ndarray]:
    match space:
        case spaces.Dict():
            if not isinstance(found, Mapping) or found.keys() != space.spaces.keys():
                raise _other(name, where, f"a dict of {', '.join(map(str, space.spaces))}", found)
            children = [(f"{where}[{key!r}]", child, found[key]) for key, child in space.spaces.items()]
        case spaces.Tuple():
            if not isinstance(found, tuple | list) or len(found) != len(space.spaces):
                raise _other(name, where, f"a tuple of {len(space.spaces)}", found)
            children = [(f"{where}[{i}]", child, found[i]) for i, child in enumerate(space.spaces)]
        case spaces.Box():
            array = as_array(found)
            if array.dtype.kind not in NUMBERS or array.shape != space.shape:
                raise _other(name, where, f"{space.dtype} {space.shape}", found)
            return [array]
        case _:
            try:
                array = as_array(spaces.flatten(space, found))
            except Exception as error:  # each space has its own
                raise _other(name, where, str(space), found) from error
            if array.shape != (spaces.flatdim(space),):
                raise _other(name, where, str(space), found)
            return [array]
    return [leaf for place, child, part in children for leaf in _leaves(name, child, part, place)]


def _other(name: str, where: str, declared: str, found: Any) -> PgrobotError:
    return PgrobotError(
        f"{name} declares observation{where} as {declared}, and returned {shown_result(found)}: its "
        "observation_space has to say what it returns."
    )


def _check_images(name: str, space: gymnasium.Space) -> None:
    match space:
        case spaces.Dict():
            for child in space.spaces.values():
                _check_images(name, child)
        case spaces.Tuple():
            for child in space.spaces:
                _check_images(name, child)
        case spaces.Box(shape=shape, dtype=dtype) if len(shape) > 1:
            count = math.prod(shape)
            if dtype == np.uint8 or count > MOST_IN_AN_ARRAY:
                raise PgrobotError(
                    f"{name} observes an image, {dtype} {shape}, which a network of {count:,} inputs would not see as "
                    "one: pgrobot has no encoder of images; let the environment observe numbers. (Arrays of at most "
                    f"{MOST_IN_AN_ARRAY:,} numbers other than uint8 are flattened.)"
                )
