"""What models that vary cost: five fields drawn at every episode's start, in a training and alone."""

from __future__ import annotations

import json
import resource
import time
from typing import Any

import numpy as np
from measuring import BARE, HOME, show, spread, train

from pgrobot.configure import build_environment, compose, validated
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
    """Time of an iteration with five fields varied over that with none, in pairs; the same of the environment alone.

    Args:
        repeats: pairs.
        steps: environment steps of each training.
    """
    runs = [_pair(steps, bool(index % 2)) for index in range(repeats)]
    alone = [_alone(bool(index % 2)) for index in range(repeats)]
    more = {
        f"{what}, %": [100.0 * (varied / plain - 1.0) for varied, plain in pairs]
        for what, pairs in {
            "time of an iteration": [run["time of an iteration"] for run in runs],
            "CPU time of the run": [run["CPU time of the run"] for run in runs],
            "CPU time of a step of random actions": alone,
        }.items()
    }
    show(
        f"what five varied fields add, {ROBOT}, N = {ENVS}", [(name, *spread(v)) for name, v in more.items()]
    )
    return {"runs": runs, "alone": alone, "added_percent": more}


def _pair(steps: int, plain_first: bool) -> dict[str, tuple[float, float]]:
    """By what is counted: varied and not, measured one after the other."""
    measured = {}
    for lines in sorted((VARIED, ()), key=len, reverse=not plain_first):
        run, before = HOME / "variation", resource.getrusage(resource.RUSAGE_CHILDREN)
        train(run, *ALIKE, f"total_steps={steps}", *lines)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        late = rows[len(rows) // 10 : -1]  # the first compile, the last is evaluated
        measured[bool(lines)] = (
            (late[-1]["time/wall_s"] - late[0]["time/wall_s"]) / (len(late) - 1),
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        )
    (iteration, cpu), (iteration_plain, cpu_plain) = measured[True], measured[False]
    return {"time of an iteration": (iteration, iteration_plain), "CPU time of the run": (cpu, cpu_plain)}


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
