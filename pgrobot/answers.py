"""What parts of a user's own return to whoever called them: a mistake in one is told in a sentence, by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from pgrobot.errors import PgrobotError
from pgrobot.types import IntrinsicReward, Metrics, Rollout


def name_of(part: Any) -> str:
    """Where a function, a method or the class of an object is defined, ``my_robots.bonuses.Counts.fit``."""
    while isinstance(part, partial):
        part = part.func
    named = part if hasattr(part, "__qualname__") else type(part)
    return f"{named.__module__}.{named.__qualname__}"


def check_call(part: Callable[..., Any], *arguments: str) -> None:
    """Refuse what cannot be called with so many arguments.

    Raises:
        PgrobotError: names it and them.
    """
    try:
        inspect.signature(part).bind(*arguments)
    except ValueError:
        return  # written in C: nothing is known of it
    except TypeError as error:
        raise PgrobotError(f"{name_of(part)} has to take ({', '.join(arguments)}): {error}") from error


def metrics_of(part: Callable[..., Any], *arguments: Any) -> Metrics:
    """The metrics that a part returns for these arguments.

    Raises:
        PgrobotError: it returns something else than numbers by name.
    """
    found = part(*arguments)
    if not isinstance(found, Mapping):
        raise PgrobotError(
            f"{name_of(part)} has to return a dict of metrics, {{}} for none, not {_shown(found)}"
        )
    for key, value in found.items():
        if not isinstance(value, (int, float)):
            raise PgrobotError(f"{name_of(part)} has to return numbers, but {key!r} is {_shown(value)}")
    return dict(found)


def with_column_of(part: IntrinsicReward, rollout: Rollout) -> Rollout:
    """The rollout with the column of an intrinsic reward.

    Raises:
        PgrobotError: it returns something else than the rollout with the one column that it names.
    """
    found: Any = part(rollout)
    wanted = (*rollout.columns, part.column)
    shape = (*rollout.reward.shape[:-1], len(wanted))
    if not isinstance(found, Rollout):
        told = _shown(found)
    elif found.columns != wanted or tuple(found.reward.shape) != shape:
        told = f"columns {', '.join(found.columns)} {list(found.reward.shape)}"
    else:
        return found
    raise PgrobotError(
        f"{name_of(part)} has to return the rollout with its column, rollout.with_column({part.column!r}, bonus, …): "
        f"{', '.join(wanted)} {list(shape)}, not {told}"
    )


def check_shapes(part: Any, found: Any, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse what is not a tuple of tensors of these shapes.

    Raises:
        PgrobotError: names the part, and what is wrong.
    """
    if not isinstance(found, tuple) or len(found) != len(shapes):
        told = f"a tuple of {len(found)}" if isinstance(found, tuple) else _shown(found)
        raise PgrobotError(f"{name_of(part)} has to return {', '.join(shapes)}, not {told}")
    for value, (what, shape) in zip(found, shapes.items(), strict=True):
        if not isinstance(value, Tensor) or tuple(value.shape) != shape:
            raise PgrobotError(f"{name_of(part)} has to return {what} {list(shape)}, not {_shown(value)}")


def _shown(found: Any) -> str:
    if isinstance(found, Tensor):
        return f"a tensor {list(found.shape)}"
    return "None" if found is None else f"a {type(found).__name__}"
