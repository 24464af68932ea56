"""Robotics continuous control: policies trained by gradient ascent under safety budgets.

``train``, ``evaluate`` and ``compose`` are the Python side of the command ``pgrobot``; see ``pgrobot.api``.
``Iteration`` is what a callback of ``train`` is told.
``__version__`` is the installed version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgrobot.api import Iteration, compose, evaluate, train

    __version__: str

__all__ = ["Iteration", "compose", "evaluate", "train"]


def __getattr__(name: str) -> Any:
    # Importing the interface imports torch and MuJoCo, which `import pgrobot` alone need not wait for.
    if name in __all__:
        from pgrobot import api

        return getattr(api, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("pgrobot")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
