"""Robotics continuous control: policies trained by gradient ascent under safety budgets.

``train``, ``evaluate`` and ``compose`` are the Python side of the command ``pgrobot``; see ``pgrobot.api``.
``Iteration`` is what a callback of ``train`` is told. ``load`` loads a trained policy, which acts without a simulator,
and ``export`` writes it as ONNX; see ``pgrobot.deploy``.
``certify`` judges one so that somebody else can ``verify`` it; see docs/certificate.md.
``record`` keeps episodes of one for others to learn from; see ``pgrobot.demonstrations``.
``port`` maps one onto another robot; see docs/transfer.md.
``play`` films one; see ``pgrobot.playing``.
``__version__`` is the installed version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgrobot.api import Iteration, certify, compose, evaluate, port, record, train, verify
    from pgrobot.deploy import load
    from pgrobot.deploy.exporting import export
    from pgrobot.playing import play

    __version__: str

__all__ = [
    "Iteration",
    "certify",
    "compose",
    "evaluate",
    "export",
    "load",
    "play",
    "port",
    "record",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name == "load":  # without MuJoCo
        from pgrobot.deploy import load

        return load
    if name == "export":
        from pgrobot.deploy.exporting import export

        return export
    if name == "play":
        from pgrobot.playing import play

        return play
    # Importing the interface imports torch and MuJoCo, which `import pgrobot` alone need not wait for.
    if name in __all__:
        from pgrobot import api

        return getattr(api, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("pgrobot")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
