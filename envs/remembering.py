"""What a robot remembers from step to step, as far as the terms that it is paid for ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pgrobot.simulation import Simulation

from .rewards import IN_AIR, LAST_COMMAND, action_rate, commanded, feet_air_time
from .sensing import asked, touching

Functions = Sequence[Callable[..., Any]]


def widths(functions: Functions, simulation: Simulation) -> dict[str, int]:
    """How many numbers are remembered, by name; nothing where no function asks."""
    found = {IN_AIR + foot: 1 for foot in feet(functions)}
    return found | ({LAST_COMMAND: simulation.model.nu} if any(_of(functions, action_rate)) else {})


def after_a_step(functions: Functions, simulation: Simulation) -> dict[str, np.ndarray]:
    """What is remembered after a step, ``[N, W]`` by name: the command, and since when each foot is in the air, s."""
    found = {}
    for foot in feet(functions):
        aloft = simulation.memory(IN_AIR + foot) + simulation.dt
        found[IN_AIR + foot] = np.where(touching(simulation, [foot]), 0.0, aloft)
    return found | ({LAST_COMMAND: commanded(simulation)} if any(_of(functions, action_rate)) else {})


def feet(functions: Functions) -> list[str]:
    """The parts whose time in the air some of the functions ask for."""
    return list(dict.fromkeys(asked(_of(functions, feet_air_time))))


def _of(functions: Functions, meant: Callable[..., Any]) -> Iterable[Callable[..., Any]]:
    """Those of the functions that are one of ours, its parameters bound or not."""
    return [each for each in functions if (each.func if isinstance(each, partial) else each) is meant]
