"""The learning study: every algorithm on every robot, its final policies judged, and a page that shows them all."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from goals import GOALS
from measuring import HOME, finished, multirun
from page import MODES, keep

from pgrobot import evaluate

FIVE_SEEDS = {(a, r) for a in ("ppo", "trpo") for r in ("halfcheetah", "hopper", "walker2d")}
EXPERIMENTS = Path(__file__).parents[1] / "conf" / "experiment"
SLOW_ROBOTS = {"ant", "humanoid"}
JUDGE_SEED, JUDGE_EPISODES = 20_000, 20
POINTS = 50  # of a curve


@dataclass(frozen=True)
class Cell:
    """One algorithm on one robot, by several seeds."""

    algorithm: str
    robot: str
    seeds: int

    @property
    def experiment(self) -> str:
        """What this robot asks of all algorithms; then the most particular of both, the algorithm, the robot or all."""
        told = (f"_{self.algorithm}_{self.robot}", f"_{self.algorithm}", f"_{self.robot}", "")
        found = next(f"learning{name}" for name in told if _is_recorded(f"learning{name}"))
        return f"[on_{self.robot},{found}]" if _is_recorded(f"on_{self.robot}") else found

    @property
    def overrides(self) -> tuple[str, ...]:
        """What its sweep is composed of."""
        return (
            f"experiment={self.experiment}", f"algorithm={self.algorithm}", f"task={self.robot}",
            f"seed=range(1,{self.seeds + 1})", f"total_steps={steps(self.algorithm, self.robot)}",
        )  # fmt: skip


def steps(algorithm: str, robot: str) -> int:
    """Environment steps of a training: the published figure's, or fewer where physics takes long."""
    return 3_000_000 if algorithm == "reinforce" and robot not in SLOW_ROBOTS else 1_000_000


def _is_recorded(experiment: str) -> bool:
    return (EXPERIMENTS / f"{experiment}.yaml").exists()


def learning(
    algorithms: Sequence[str], robots: Sequence[str], seeds: int, jobs: int, into: Path
) -> dict[str, Any]:
    """Train what is missing, ``jobs`` cells at a time, record each cell as it ends, and write the page.

    Raises:
        SystemExit: the sweep of a cell failed; the others have been recorded.
    """
    cells = [
        Cell(algorithm, robot, seeds or (5 if (algorithm, robot) in FIVE_SEEDS else 3))
        for robot in robots or GOALS["ppo"]
        for algorithm in algorithms
        if robot in GOALS[algorithm]
    ]
    failed = []
    with ThreadPoolExecutor(jobs) as pool:
        training = {pool.submit(multirun, place(cell), jobs, *cell.overrides): cell for cell in cells}
        for trained in as_completed(training):
            cell = training[trained]
            if trained.exception():
                failed.append(str(trained.exception()))
                continue
            keep(record(cell), into)
    if failed:
        raise SystemExit("\n".join(failed))
    return {"cells": [f"{cell.algorithm}_{cell.robot}" for cell in cells], "into": str(into)}


def place(cell: Cell) -> Path:
    """The directory of a cell's sweep."""
    return HOME / "learning" / cell.algorithm / cell.robot


def record(cell: Cell) -> dict[str, Any]:
    """What is kept of a cell: where it was measured, the returns of its final policies, and its curve."""
    runs = finished(place(cell))
    manifests = [json.loads((run / "manifest.json").read_text(encoding="utf-8")) for run in runs]
    return {
        "algorithm": cell.algorithm,
        "robot": cell.robot,
        "command": shlex.join(("pgrobot", "train", "-m", *cell.overrides)),
        "commits": sorted({manifest["git_commit"][:7] for manifest in manifests}),
        "versions": manifests[0]["versions"],
        "date": max(manifest["start_time"] for manifest in manifests)[:10],
        "seeds": [manifest["seed"] for manifest in manifests],
        **{mode: [judged(run, mode) for run in runs] for mode in MODES},
        "curve": curve(runs),
    }


def judged(run: Path, mode: str) -> float:
    """The mean return of a run's final policy over fresh episodes, remembered in the run's directory."""
    path = run / f"judged_{mode}.json"
    if not path.exists():
        told = evaluate(run, checkpoint="last", episodes=JUDGE_EPISODES, seed=JUDGE_SEED, mode=mode)
        path.write_text(json.dumps(told["return"]), encoding="utf-8")
    return round(float(json.loads(path.read_text(encoding="utf-8"))["mean"]), 2)


def curve(runs: Sequence[Path]) -> dict[str, list[float]]:
    """The return of training episodes over environment steps: mean, least and greatest over the runs."""
    lines = [smoothed(run) for run in runs]
    steps = np.linspace(max(line[0][0] for line in lines), min(line[0][-1] for line in lines), POINTS)
    returns = np.array([np.interp(steps, *line) for line in lines])
    told = {"mean": returns.mean(0), "least": returns.min(0), "greatest": returns.max(0)}
    return {"steps": np.rint(steps).tolist(), **{key: np.round(v, 2).tolist() for key, v in told.items()}}


def smoothed(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """Steps and the mean return of the episodes that ended, averaged over a fiftieth of the training."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    told = [metrics for metrics in map(json.loads, lines) if metrics.get("return/mean") is not None]
    steps = np.array([line["global_step"] for line in told], dtype=float)
    returns = np.array([line["return/mean"] for line in told])
    width = max(1, len(steps) // POINTS)
    kernel = np.ones(width) / width
    return np.convolve(steps, kernel, "valid"), np.convolve(returns, kernel, "valid")
