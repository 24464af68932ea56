"""Wrappers that make an environment another one in every evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium

from pgrobot.errors import PgrobotError

STATISTICS = "RunningMeanStd"  # Gymnasium's, and by the same name Stable-Baselines3's
SWITCHES = ("update_running_mean", "training")  # false: they are frozen


def check_wrappers(name: str, environment: gymnasium.Env) -> None:
    """Refuse an environment in which a wrapper learns statistics, such as ``NormalizeObservation``.

    They are neither saved with a run nor handed to the environments of an evaluation, where they would begin anew.

    Raises:
        PgrobotError: names the wrapper and the remedy.
    """
    for layer in _layers(environment):
        learns = any(type(value).__name__ == STATISTICS for value in _attributes(layer).values())
        if learns and all(getattr(layer, switch, True) for switch in SWITCHES):
            raise PgrobotError(
                f"{name} is wrapped in {type(layer).__name__}, whose statistics are not saved and begin anew in every "
                "evaluation: leave it out, as pgrobot normalises observations and scales returns itself, or freeze "
                "it (update_running_mean=False)."
            )


def _layers(environment: Any) -> Iterator[Any]:
    while environment is not None:
        yield environment
        environment = _attributes(environment).get("env")


def _attributes(layer: Any) -> dict[str, Any]:
    return getattr(layer, "__dict__", {})
