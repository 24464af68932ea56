"""What robots and costs see: the model, MuJoCo's own type, and arrays; both refuse to be written."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError


class ReadOnlyModel(mujoco.MjModel):
    """A model for every function of MuJoCo; what is read from it is read-only, ``opt``, ``vis`` and named parts too.

    ``copy.copy`` gives a model that can be written.
    """

    __slots__ = ()

    @classmethod
    def of(cls, model: mujoco.MjModel) -> ReadOnlyModel:
        """A read-only copy of a model."""
        made = cls.__new__(cls)
        made.__setstate__(model.__getstate__())
        return made

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        return value if name.startswith("_") else _guarded(value)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        refuse(name)


class ReadOnlyArray(np.ndarray):
    """An array of a model, which refuses to be written in a sentence; what is computed from it is a plain array."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if not self.flags.writeable:
            refuse("an array of it")
        super().__setitem__(key, value)

    def copy(self, order: Any = "C") -> np.ndarray:  # type: ignore[override]
        """A plain array, to be written."""
        return np.array(self, order=order)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **arguments: Any) -> Any:
        for target in (*arguments.get("out", ()), *(inputs[:1] if method == "at" else ())):
            if isinstance(target, ReadOnlyArray) and not target.flags.writeable:
                refuse("an array of it")
        if "out" in arguments:
            arguments["out"] = tuple(map(_plain, arguments["out"]))
        return getattr(ufunc, method)(*map(_plain, inputs), **arguments)


class _View:
    """A part of a model that is no array, such as ``opt`` or ``body("torso")``."""

    __slots__ = ("_part",)

    def __init__(self, part: Any) -> None:
        object.__setattr__(self, "_part", part)

    def __getattr__(self, name: str) -> Any:
        return _guarded(getattr(self._part, name))

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        refuse(name)

    def __dir__(self) -> list[str]:
        return dir(self._part)

    def __repr__(self) -> str:
        return repr(self._part)


def unwritten(array: np.ndarray) -> np.ndarray:
    """A view of an array that follows it and cannot be written."""
    seen = array.view()
    seen.flags.writeable = False
    return seen


def refuse(what: str) -> NoReturn:
    """Say why a model cannot be written; raises PgrobotError."""
    raise PgrobotError(
        f"the model cannot be changed ({what}): the simulations step a copy of it, so nothing would follow; for models "
        "that vary set variation, for another model task.xml_file, and for computations of your own write into "
        "copy.copy(model)."
    )


def _guarded(value: Any) -> Any:
    """What is read from a model in a form that cannot be written."""
    if isinstance(value, np.ndarray):
        seen = value.view(ReadOnlyArray)
        seen.flags.writeable = False
        return seen
    if value is None or isinstance(value, (bool, int, float, str, bytes, tuple, np.generic)):
        return value
    return _guarded_call(value) if callable(value) else _View(value)


def _guarded_call(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(*positions: Any, **keywords: Any) -> Any:
        return _guarded(method(*positions, **keywords))

    return call


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, ReadOnlyArray) else value
