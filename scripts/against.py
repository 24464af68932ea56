"""This checkout against another one, such as that of an earlier commit: every row of the speed tables, in pairs."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from measuring import HOME, command, fresh, show, spread
from timings import TRPO_ALIKE

TRAININGS: Mapping[str, tuple[str, ...]] = {
    "PPO": ("experiment=efficient", "total_steps=204800"),
    "TRPO": ("algorithm=trpo", *TRPO_ALIKE, "total_steps=204800"),
    "experiment=fast": ("experiment=fast", "total_steps=819200"),
}
ROBOTS = ("halfcheetah", "hopper")


def against(other: Path, repeats: int) -> dict[str, Any]:
    """Speeds of this checkout over those of another, measured one after the other, either one first in turn.

    Args:
        other: a checkout with its own ``.venv``.
        repeats: pairs.
    """
    measures: dict[str, Callable[[Path], float]] = {
        **{name: partial(training_speed, overrides) for name, overrides in TRAININGS.items()},
        **{f"environment, {robot}": partial(environment_speed, robot) for robot in ROBOTS},
        "start of the default run, 1/s": startup_speed,
    }
    checkouts = {"this": Path(__file__).parents[1], "other": other.absolute()}
    speeds: dict[str, dict[str, list[float]]] = {name: {"this": [], "other": []} for name in measures}
    for name, measure in measures.items():
        for index in range(repeats):
            for which in sorted(checkouts, reverse=bool(index % 2)):
                speeds[name][which].append(measure(checkouts[which]))
    ratios = {name: [a / b for a, b in zip(*both.values(), strict=True)] for name, both in speeds.items()}
    show("this checkout", [(name, *spread(both["this"])) for name, both in speeds.items()])
    show("this over the other", [(name, *spread(values)) for name, values in ratios.items()])
    return {"other": _commit(other), "speeds": speeds, "ratios": ratios}


def training_speed(overrides: tuple[str, ...], checkout: Path) -> float:
    """Env-steps/s of a training on HalfCheetah but its first tenth, where the update is compiled or loaded."""
    run = (HOME / "against").absolute()
    late = (
        "evaluation.every=1e9",
        "checkpoint.every=1e9",
        "evaluation.episodes=2",
        "evaluation.final_episodes=2",
    )
    settings = ("task=halfcheetah", "constraint=none", "tracker=none", "seed=1", *late, *overrides)
    words = [_python(checkout), *command(fresh(run), *settings)[1:]]
    subprocess.run(words, cwd=checkout, stdout=subprocess.DEVNULL, check=True)
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    metrics = [json.loads(line) for line in lines]
    start, end = metrics[len(metrics) // 10], metrics[-2]  # the last iteration contains the evaluation
    return float((end["global_step"] - start["global_step"]) / (end["time/wall_s"] - start["time/wall_s"]))


def environment_speed(robot: str, checkout: Path) -> float:
    """Env-steps/s of 64 environments with three costs."""
    words = [_python(checkout), "-W", "ignore", "-c", _ENVIRONMENT, robot]
    done = subprocess.run(words, cwd=checkout, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


_ENVIRONMENT = """
import sys, time, numpy as np
from pgrobot import compose
from pgrobot.configure import build_environment
cfg = compose(task=sys.argv[1], constraint=["speed", "torque", "joint_velocity"], num_envs=64)
world = build_environment(cfg, 64, 0, 2)
actions = np.random.default_rng(0).uniform(-1, 1, (3000, 64, len(world.spec.actuators)))
world.reset()
for action in actions[:200]:
    world.step(action)
start = time.perf_counter()
for action in actions:
    world.step(action)
print(64 * len(actions) / (time.perf_counter() - start))
"""


def startup_speed(checkout: Path) -> float:
    """One over the seconds from the command to the end of the default run's first iteration."""
    run = fresh(HOME / "against").absolute()
    begin = time.perf_counter()
    words = [_python(checkout), *command(run, "seed=1", "tracker=none", "total_steps=102400")[1:]]
    process = subprocess.Popen(words, cwd=checkout, stdout=subprocess.DEVNULL)
    metrics = run / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.01)
    elapsed = time.perf_counter() - begin
    process.kill()
    process.wait()
    return 1.0 / elapsed


def _python(checkout: Path) -> str:
    """Its interpreter, which has to be called in its folder: Python looks for packages there first."""
    return str(checkout / ".venv/bin/python")


def _commit(checkout: Path) -> str:
    words = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
