"""The safety study: the best feasible policies under a speed budget, as their own runs judge them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from measuring import CONSOLE, HOME, finished, multirun

from pgrobot import evaluate


def safe(robots: Sequence[str], seeds: int, jobs: int) -> dict[str, Any]:
    """The best feasible policies after 3M steps, v4, speed budget 25; the verdict is the run's own."""
    found: dict[str, list[dict[str, Any]]] = {}
    seed = f"seed=range(1,{(seeds or 3) + 1})"
    with ThreadPoolExecutor(jobs) as pool:
        list(
            pool.map(
                lambda robot: multirun(HOME / "safe" / robot, jobs, "experiment=safe", f"task={robot}", seed),
                robots,
            )
        )
    for robot in robots:
        for run in finished(HOME / "safe" / robot):
            result = json.loads((run / "result.json").read_text(encoding="utf-8"))
            chosen = {"run": run.name, "return": result["return"]["mean"], "costs": result["costs"]}
            chosen |= {f"stochastic {key}": value for key, value in stochastic(run).items()}
            found.setdefault(robot, []).append(chosen)
            CONSOLE.print(robot, chosen)
    return {"runs": found}


def stochastic(run: Path) -> dict[str, Any]:
    """The best feasible policy as it acts when it explores: return, and each budget's verdict."""
    told = evaluate(run, mode="stochastic")
    verdicts = {name: (cost["mean"], cost["verdict"]) for name, cost in told["costs"].items()}
    return {"return": told["return"]["mean"], "costs": verdicts}
