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
    for layer in layers(environment):
        learns = any(type(value).__name__ == STATISTICS for value in attributes(layer).values())
        if learns and all(getattr(layer, switch, True) for switch in SWITCHES):
            raise PgrobotError(
                f"{name} is wrapped in {type(layer).__name__}, whose statistics are not saved and begin anew in every "
                "evaluation: leave it out, as pgrobot normalises observations and scales returns itself, or freeze "
                "it (update_running_mean=False)."
            )


def layers(environment: Any) -> Iterator[Any]:
    """An environment from its outermost wrapper to the innermost environment."""
    while environment is not None:
        yield environment
        environment = attributes(environment).get("env")


def attributes(layer: Any) -> dict[str, Any]:
    """What a layer has itself, without asking the layers below, as a wrapper's attributes do."""
    return getattr(layer, "__dict__", {})
