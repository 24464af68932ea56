"""What models that vary cost: five fields drawn at every episode's start, in a training and alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from measuring import BARE, quartiles, show

from pgrobot.configure import build, build_environment, compose, validated
from pgrobot.loop import train
from pgrobot.types import Environment

ROBOT, ENVS = "hopper", 64
# Ranges of no width: drawn, written and computed like any others, and the episodes are the same to the last bit.
FIVE = {
    "mass": "scale",
    "center_of_mass": "add",
    "friction": "scale",
    "damping": "scale",
    "strength": "scale",
}
VARIED = (
    f"variation=[{','.join(FIVE)}]",
    *(f"variation.{name}.{kind}={1.0 if kind == 'scale' else 0.0}" for name, kind in FIVE.items()),
)
ALIKE = (*BARE, f"task={ROBOT}", f"num_envs={ENVS}")
STEPS = 500  # of the environment alone


def variation(repeats: int, steps: int) -> dict[str, Any]:
    """Time of iterations with five fields varied over that of the same ones with none; and of steps alone.

    Args:
        repeats: trainings of each kind, and measurements of the environment.
        steps: environment steps of each training.
    """
    iterations = [pair for index in range(repeats) for pair in _side_by_side(steps, seed=1 + index)]
    alone = [_alone(bool(index % 2)) for index in range(repeats)]
    added = {
        "time of an iteration, %": [_more(pair.wall) for pair in iterations],
        "CPU time of an iteration, %": [_more(pair.cpu) for pair in iterations],
        "CPU time of a step of random actions, %": [_more(pair) for pair in alone],
    }
    show(
        f"what five varied fields add, {ROBOT}, N = {ENVS}",
        [(name, *quartiles(values)) for name, values in added.items()],
        ("middle", "lower quartile", "upper quartile"),
    )
    return {"added_percent": added}


class _Pair(NamedTuple):
    """An iteration varied and the same one not, in seconds."""

    wall: tuple[float, float]
    cpu: tuple[float, float]


def _side_by_side(steps: int, seed: int) -> list[_Pair]:
    """Two trainings that take turns, iteration by iteration: a machine that is now slow and now fast meets them alike.

    Which of the two goes first changes from iteration to iteration. Both learn the same to the last bit.
    """
    runs = []
    for lines in (VARIED, ()):
        cfg = validated(compose([*ALIKE, f"total_steps={steps}", f"seed={seed}", *lines]))
        assembly = build(cfg, cfg.threads)
        numbers = range(assembly.iterations)
        diagnostics = tuple(assembly.diagnostics.values())
        runs.append(train(assembly.collector, assembly.learners, numbers, diagnostics))
    pairs = []
    for index in range(assembly.iterations):
        took = {which: _timed(runs[which]) for which in ((0, 1) if index % 2 else (1, 0))}
        (varied_wall, varied_cpu), (wall, cpu) = took[0], took[1]
        pairs.append(_Pair((varied_wall, wall), (varied_cpu, cpu)))
    return pairs[len(pairs) // 10 :]  # the first compile


def _timed(run: Iterator[Any]) -> tuple[float, float]:
    """Wall and CPU seconds of the next iteration."""
    wall, cpu = time.perf_counter(), time.process_time()
    next(run)
    return time.perf_counter() - wall, time.process_time() - cpu


def _more(pair: tuple[float, float]) -> float:
    """By how much the first exceeds the second, in percent."""
    return 100.0 * (pair[0] / pair[1] - 1.0)


def _alone(plain_first: bool) -> tuple[float, float]:
    """CPU seconds of a step, varied and not. Under random actions an episode ends in nearly every one."""
    measured = {}
    for lines in sorted((VARIED, ()), key=len, reverse=not plain_first):
        cfg = validated(compose([f"task={ROBOT}", *lines]))
        measured[bool(lines)] = _stepping(build_environment(cfg, ENVS, 0, 1))
    return measured[True], measured[False]


def _stepping(environment: Environment) -> float:
    spec, random = environment.spec, np.random.default_rng(0)
    actions = random.uniform(spec.action_low, spec.action_high, (STEPS, ENVS, len(spec.actions)))
    environment.reset()
    begin = time.process_time()
    for action in actions:
        environment.step(action)
    return (time.process_time() - begin) / STEPS
