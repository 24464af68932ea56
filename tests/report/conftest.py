"""Run directories as a run writes them, made in a moment, with numbers that nothing had to be trained for."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from pgrobot.figures import image
from pgrobot.pictures import Image, Table
from pgrobot.report import PAGE, Written, write_report
from pgrobot.tracking import keep

JOINTS = ("knee <b>", "hip")
COSTS = {
    "speed": {
        "mean": 0.01,
        "lower": 0.0,
        "upper": 0.02,
        "budget": 0.025,
        "unit": "step",
        "verdict": "satisfied",
    },
    "torque": {
        "mean": 0.3,
        "lower": 0.2,
        "upper": None,
        "budget": 0.1,
        "unit": "step",
        "verdict": "violated",
    },
    "fall": {
        "mean": 0.1,
        "lower": 0.0,
        "upper": 0.2,
        "budget": 0.1,
        "unit": "probability",
        "verdict": "undecided",
    },
}
RESULT = {
    "status": "finished",
    "return": {"mean": 1013.5, "ci95": [990.0, 1030.0], "episodes": 100},
    "episode_length": {"mean": 998.0, "min": 900, "limit": 1000},
    "costs": COSTS,
    "failures": 0,
    "warnings": ["<script>alert('a warning')</script>"],
    "judged": {"step": 2048, "mode": "stochastic", "seed": 10000},
    "other_mode": {"mode": "deterministic", "return": {"mean": 1014.0}},
    "wall_s": 90.0,
}
CONFIG = "seed: 1\nnum_envs: 4\nhorizon: 16\nalgorithm: {name: ppo}\nconstraint: {speed: {unit: step}}\n"


BARE = {"global_step": 64.0}  # nothing to draw


def simple(iteration: int) -> dict[str, float | None]:
    """What every run tells: a return and a cost."""
    return {
        "global_step": 64.0 * (iteration + 1),
        "return/mean": 10.0 * iteration if iteration else None,
        "cost/speed/mean": 0.5 / (iteration + 1),
        "cost/speed/budget": 0.025,
    }


def full(iteration: int) -> dict[str, float | None]:
    """All that a run tells, of two joints."""
    wave = math.sin(iteration / 3)
    words = ("gradient_reward", "gradient_speed", "cosine_speed", "snr", "rms")
    return simple(iteration) | {
        "episode_length/mean": 100.0,
        "multiplier/speed": 1.0,
        "reward/forward/mean": wave,
        "reward/survive/mean": 1.0,
        "policy/kl": 3.0,
        "policy/clip_fraction": 0.1,
        "critic/explained_variance/reward": 0.9,
        "evaluation/return/mean": 100.0 if iteration == 9 else None,
        "evaluation/cost/speed/mean": 0.02 if iteration == 9 else None,
        "evaluation/cost/speed/upper": 0.03 if iteration == 9 else None,
        **{f"torque/{joint}/{word}": wave for joint in JOINTS for word in words},
        **{f"violation/speed/{joint}/environments": abs(wave) for joint in JOINTS},
    }


def write_run(run: Path, rows: Sequence[dict[str, Any]], result: dict[str, Any] = RESULT) -> Path:
    """A run directory with these metrics; ``result`` empty: it has not finished."""
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(CONFIG)
    (run / "overrides.yaml").write_text("- seed=1\n- hydra.run.dir=a folder\n")
    told = [{name: value for name, value in row.items() if value is not None} for row in rows]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))
    versions = {"python": "3.11.7", "pgrobot": "0.1.0"}
    manifest = {"seed": 1, "start_time": "2026-01-31T12:00:00+00:00", "versions": versions, "resumed": []}
    (run / "manifest.json").write_text(json.dumps({**manifest, "pgrobot_commit": "0123456789"}))
    actions = [{"name": joint, "unit": "200 N·m"} for joint in JOINTS]
    (run / "spec.json").write_text(json.dumps({"name": "Hopper-v5", "actions": actions}))
    if result:
        (run / "result.json").write_text(json.dumps(result))
    return run


def _empty(figure: Figure) -> None:
    figure.add_subplot()


@pytest.fixture
def simple_run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", [simple(i) for i in range(10)])


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The report of a run that tells all, with a finding, two films and a map of violations."""
    run = write_run(tmp_path_factory.mktemp("whole") / "run", [full(i) for i in range(30)])
    cells = [("speed", joint, 0.1 * i, 0.5, 2.0, 9.0) for joint in JOINTS for i in range(5)]
    keep(
        run,
        1920,
        "violation/by_time",
        Table(("constraint", "part", "time", "share", "size", "steps"), tuple(cells)),
    )
    keep(run, 1920, "sensitivity/map", image(_empty, 2.0, 2.0, "Sensors & actuators"))
    keep(run, 1920, "own/map", Image(b"png of another library", b"<svg/>", "its caption"))
    for step in (640, 1920):
        (run / "videos").mkdir(exist_ok=True)
        (run / "videos" / f"walk_{step}.mp4").write_bytes(b"film")
    return write_report(run, run / PAGE, videos=True)
