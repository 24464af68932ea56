"""What parts of a user's own return to whoever called them: a mistake in one is told in a sentence, by its name."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgrobot.errors import PgrobotError
from pgrobot.types import Diagnostic, IntrinsicReward, Metrics, Rollout

BONUS = "bonus/"  # begins the column of every intrinsic reward
_NUMERICAL = (np.linalg.LinAlgError, torch.linalg.LinAlgError, FloatingPointError)  # type: ignore[attr-defined]
_logger = logging.getLogger(__name__)


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


def diagnosed(part: Diagnostic, *arguments: Any) -> Metrics:
    """The metrics of a diagnostic; none, and a line of the log, where its linear algebra fails.

    Raises:
        PgrobotError: as of ``metrics_of``.
    """
    try:
        return metrics_of(part, *arguments)
    except _NUMERICAL as error:
        _logger.warning("%s has nothing to tell of this iteration: %s", name_of(part), error)
        return {}


def joined(metrics: Metrics, part: Any, found: Metrics) -> Metrics:
    """The metrics with those that a part found.

    Raises:
        PgrobotError: one of its names is another's already.
    """
    taken = next((key for key in found if key in metrics), None)
    if taken is not None:
        raise PgrobotError(
            f"{name_of(part)} returns a metric {taken!r}, which there is already: give it another name"
        )
    return metrics | found


def check_diagnostic(part: Any) -> None:
    """Refuse what is no diagnostic.

    Raises:
        PgrobotError: names it and what it lacks.
    """
    check_call(part, "iteration", "learners", "experience")
    for word in ("state_dict", "load_state_dict"):
        if not callable(getattr(part, word, None)):
            raise PgrobotError(
                f"{name_of(part)} has no method {word!r}: one that remembers nothing returns {{}} as its "
                "state_dict(), and does nothing in load_state_dict(state)"
            )


def check_columns(intrinsic: Sequence[IntrinsicReward]) -> None:
    """Refuse intrinsic rewards whose columns do not tell them apart from all others.

    Raises:
        PgrobotError: one does not begin with ``bonus/``, or two are the same; or its discount is none.
    """
    seen: dict[str, IntrinsicReward] = {}
    for one in intrinsic:
        column = getattr(one, "column", None)
        if not isinstance(column, str) or not column.removeprefix(BONUS) or not column.startswith(BONUS):
            raise PgrobotError(
                f"{name_of(one)}.column is {column!r}: the column of an intrinsic reward is {BONUS}<name>"
            )
        if column in seen:
            raise PgrobotError(
                f"{name_of(seen[column])} and {name_of(one)} have the same column {column!r}: each needs one of its own"
            )
        discount = getattr(one, "discount", 1.0)
        if not isinstance(discount, (int, float)) or not 0.0 <= discount <= 1.0:
            raise PgrobotError(f"{name_of(one)}.discount has to be a number from 0 to 1, not {discount!r}")
        seen[column] = one


def paying(intrinsic: Sequence[IntrinsicReward]) -> tuple[IntrinsicReward, ...]:
    """Those that have a column: all but those that say ``pays = False``."""
    return tuple(one for one in intrinsic if getattr(one, "pays", True))


def with_column_of(part: IntrinsicReward, rollout: Rollout) -> Rollout:
    """The rollout with the column of an intrinsic reward.

    Raises:
        PgrobotError: it returns something else than the rollout with the one column that it names, or what it pays is
            no number.
    """
    found: Any = part(rollout)
    wanted = (*rollout.columns, part.column)
    shape = (*rollout.reward.shape[:-1], len(wanted))
    if not isinstance(found, Rollout):
        told = _shown(found)
    elif found.columns != wanted or tuple(found.reward.shape) != shape:
        told = f"columns {', '.join(found.columns)} {list(found.reward.shape)}"
    else:
        _check_paid(part, found.reward[..., -1])
        return found
    raise PgrobotError(
        f"{name_of(part)} has to return the rollout with its column, rollout.with_column({part.column!r}, bonus, …): "
        f"{', '.join(wanted)} {list(shape)}, not {told}"
    )


def _check_paid(part: IntrinsicReward, paid: Tensor) -> None:
    bad = (~paid.isfinite()).nonzero()
    if len(bad):
        time, environment = bad[0].tolist()
        raise PgrobotError(
            f"{name_of(part)} pays {float(paid[time, environment])} as {part.column!r} at step {time} of environment "
            f"{environment}, {len(bad)} of {paid.numel()} in this rollout: lower the rate by which it learns, bound "
            "what it reads, or leave it out; the last checkpoint is from before"
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
