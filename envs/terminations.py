"""Reasons for which an episode of any robot ends for good, by name: ``task/terminations=[low,tilted]``.

A comparison with what is no number is false: a simulation that broke is cut and censored, which is no fall.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation import Simulation

from .base import base_of
from .sensing import touching


def low(
    simulation: Simulation, limit: float = 0.0, share: float = 0.5, base: str = "", keyframe: str = ""
) -> np.ndarray:
    """Whether the base is lower than a ``limit`` (m); with 0, than a ``share`` of its height in its pose."""
    found = base_of(simulation, base, keyframe)
    return found.position(simulation)[:, 2] < (limit or share * found.height)


def high(simulation: Simulation, limit: float, base: str = "") -> np.ndarray:
    """Whether the base is higher than a ``limit`` (m)."""
    return base_of(simulation, base).position(simulation)[:, 2] > limit


def tilted(simulation: Simulation, angle: float = 1.0, base: str = "", keyframe: str = "") -> np.ndarray:
    """Whether the base leans by more than an ``angle`` (rad) against its pose."""
    if not 0.0 < angle < np.pi:
        raise PgrobotError(f"the angle of 'tilted' has to lie between 0 and π, not {angle}.")
    return base_of(simulation, base, keyframe).uprightness(simulation) < np.cos(angle)


def contact(simulation: Simulation, parts: Sequence[str]) -> np.ndarray:
    """Whether one of some geoms, bodies or sites touches anything."""
    return np.asarray(touching(simulation, parts).any(axis=1))


FALLS = (low, tilted, contact)  # what is meant by a fall


def is_fall(function: Callable[..., Any]) -> bool:
    """Whether a termination, its parameters bound or not, is one of those."""
    return (function.func if isinstance(function, partial) else function) in FALLS
