"""Agents that have learnt nothing: they show a robot before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pgrobot.action_map import ActionMap
from pgrobot.episodes import Act
from pgrobot.errors import PgrobotError, nearest
from pgrobot.types import EnvironmentSpec

PERIOD = 2.0  # seconds of a sine


def zero(spec: EnvironmentSpec, draws: np.random.Generator) -> Act:  # noqa: ARG001 - as of all agents
    """Command nothing: 0, what the bounds have nearest to it, or what a policy's 0 was said to be."""
    action = np.tile(ActionMap.of(spec).rest, (spec.num_envs, 1))
    return lambda *_: action


def random(spec: EnvironmentSpec, draws: np.random.Generator) -> Act:
    """Draw from the whole range anew in every step; within ±1 where there is none."""
    to_environment = ActionMap.of(spec)
    choices = np.array([action.choices for action in spec.actions], dtype=np.int64)

    def act(*_: object) -> np.ndarray:
        drawn = draws.uniform(-1.0, 1.0, (spec.num_envs, len(spec.actions)))
        chosen = draws.integers(0, np.maximum(choices, 1), drawn.shape)
        return to_environment(np.where(choices > 0, chosen, drawn))

    return act


def sine(spec: EnvironmentSpec, draws: np.random.Generator) -> Act:  # noqa: ARG001 - as of all agents
    """Sweep every actuator over its whole range in two seconds, each a little later than the one before."""
    to_environment, count = ActionMap.of(spec), len(spec.actions)
    choices = np.array([action.choices for action in spec.actions], dtype=np.int64)
    phase = np.arange(count) / max(count, 1)
    steps = np.zeros((spec.num_envs, 1))

    def act(*_: object) -> np.ndarray:
        wave = np.sin(2.0 * math.pi * (steps * spec.control_dt / PERIOD - phase))
        steps[:] += 1.0
        return to_environment(np.where(choices > 0, 0.5 * (wave + 1.0) * (choices - 1), wave))

    return act


AGENTS: dict[str, Callable[[EnvironmentSpec, np.random.Generator], Act]] = {
    "zero": zero,
    "random": random,
    "sine": sine,
}


def agent(name: str, spec: EnvironmentSpec, seed: int) -> Act:
    """An agent by its name.

    Raises:
        PgrobotError: there is none.
    """
    check_agent(name)
    return AGENTS[name](spec, np.random.default_rng(seed))


def check_agent(name: str) -> None:
    """Refuse the name of no agent; raises PgrobotError."""
    if name not in AGENTS:
        raise PgrobotError(f"There is no agent {name!r}: {nearest(name, AGENTS)}")
