"""Checking what code of a user's returned, and saying in words what it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pgrobot.errors import PgrobotError

NUMBERS = "biuf"  # kinds of NumPy's that are real numbers


def array_of(
    source: Callable[..., Any] | str, found: Any, shape: tuple[int, ...], part: str = ""
) -> np.ndarray:
    """Copy a result into a float64 array of its own.

    Args:
        source: the function that returned it, or how to call it.
        found: the result.
        shape: what it has to be; -1 stands for any length.
        part: which part of the result it is, where there are several.

    Raises:
        PgrobotError: it is not an array of real numbers of that shape.
    """
    array = as_array(found)
    if array.dtype.kind in NUMBERS and (array.shape == shape or _fits(array.shape, shape)):
        return array.astype(np.float64)
    owner = _owner(source)
    wanted = ", ".join("any" if length < 0 else str(length) for length in shape)
    wanted = f"({wanted},)" if len(shape) == 1 else f"({wanted})"
    where = f" as {part!r}" if part else ""
    raise PgrobotError(f"{owner} has to return numbers {wanted}{where}, but returned {shown_result(found)}.")


def truths_of(source: Callable[..., Any] | str, found: Any, count: int) -> np.ndarray:
    """Copy a truth value per simulation, ``[count]`` bool; raises as ``array_of`` does."""
    if isinstance(found, np.ndarray) and found.dtype.kind == "b" and found.shape == (count,):
        return found.copy()
    raise PgrobotError(
        f"{_owner(source)} has to return bool ({count},), a truth value per simulation, but returned "
        f"{shown_result(found)}."
    )


def _owner(source: Callable[..., Any] | str) -> str:
    return source if isinstance(source, str) else words_of(source)


def as_array(found: Any) -> np.ndarray:
    """A result as an array, of objects where it is none."""
    try:
        return np.asarray(found)
    except (TypeError, ValueError, RuntimeError):  # a ragged list, a tensor with a gradient
        return np.array(None, dtype=object)


def names_of(owner: str, found: Any) -> tuple[str, ...]:
    """Names as a tuple.

    Raises:
        PgrobotError: it is not a sequence of texts.
    """
    if isinstance(found, Sequence) and not isinstance(found, str) and all(isinstance(n, str) for n in found):
        return tuple(found)
    example = f": a tuple of one is written ({found!r},)" if isinstance(found, str) else ""
    raise PgrobotError(f"{owner} has to be a tuple of names, not {shown_result(found)}{example}.")


def words_of(function: Callable[..., Any]) -> str:
    """Where a function or class is defined, ``my_robots.cart.Cart.terms``."""
    while isinstance(function, partial):
        function = function.func
    function = getattr(function, "__func__", function)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '')}.{name}".lstrip(".")


def shown_result(found: Any) -> str:
    """What a result is, without its numbers: ``float64 (64, 17)``, ``a dict of policy``, ``a tuple of 2``."""
    if isinstance(found, np.ndarray | np.generic):
        return f"{found.dtype} {found.shape}"
    if isinstance(found, dict):
        return f"a dict of {', '.join(map(str, found)) or 'nothing'}"
    if isinstance(found, tuple | list):
        return f"a {type(found).__name__} of {len(found)}"
    if found is None or isinstance(found, bool | int | float | str):
        return f"{found!r:.60}"
    return f"a {type(found).__module__}.{type(found).__qualname__}".replace("a builtins.", "a ")


def _fits(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(found) == len(wanted) and all(
        length in (given, -1) for given, length in zip(found, wanted, strict=True)
    )


def check_signature(method: Callable[..., Any], arguments: int) -> None:
    """Refuse a function that cannot be called with so many arguments, in the words of its own signature."""
    if not callable(method):
        raise PgrobotError(f"{shown_result(method)} stands where a robot needs a function.")
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):
        return  # written in C: nothing is known of it
    try:
        signature.bind(*range(arguments))
    except TypeError as error:
        raise PgrobotError(
            f"{words_of(method)}{signature} has to take {arguments} arguments after self: {error}."
        ) from error
