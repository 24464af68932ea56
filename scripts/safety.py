"""The safety studies: the best feasible policies under a speed budget, each certified on episodes of its own.

A study is a table of rows, each of them a sweep over seeds; ``experiment=safe`` says what they have in common.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from measuring import CONSOLE, HOME, finished, multirun
from rich.table import Table

from pgrobot import certify

SEEDS = 3
CONSTRAINT = "speed"
# What each robot's row of the velocity suite has beside experiment=safe.
SUITE: Mapping[str, tuple[str, ...]] = {
    "halfcheetah": (),
    "hopper": (),
    "swimmer": ("num_envs=16", "horizon=128", "algorithm.discounts.reward=0.9999"),
    "walker2d": (),
}
METHODS: Mapping[str, tuple[str, ...]] = {
    "PPO, PID multiplier": (),
    "PPO, Lagrangian": ("multiplier=lagrangian",),
    "PPO, augmented Lagrangian": ("multiplier=augmented",),
    "CPO": ("algorithm=cpo",),
    "PCPO": ("algorithm=pcpo",),
    "FOCOPS": ("algorithm=focops",),
    "CUP": ("algorithm=cup",),
    "P3O": ("algorithm=p3o",),
    "IPO": ("algorithm=ipo",),
    "CRPO": ("algorithm=crpo",),
    "PPO, unconstrained": ("multiplier=none",),
}
BUDGETS = (5.0, 25.0, 100.0)


def safe(robots: Sequence[str], seeds: int, jobs: int) -> dict[str, Any]:
    """The velocity suite: 3M steps, v4, budget 25, acting with the mean."""
    rows = {robot: (f"task={robot}", *SUITE[robot]) for robot in robots}
    return {"runs": _study("safe", rows, seeds, jobs)}


def methods(seeds: int, jobs: int) -> dict[str, Any]:
    """Every way to enforce a budget on the hopper, 1M steps."""
    rows = {name: ("task=hopper", "total_steps=1e6", *row) for name, row in METHODS.items()}
    return {"runs": _study("methods", rows, seeds, jobs)}


def frontier(seeds: int, jobs: int) -> dict[str, Any]:
    """What the hopper earns under budgets from tight to loose, 3M steps, drawn as ``frontier.svg``."""
    rows = {
        f"{budget:g}": ("task=hopper", f"constraint.{CONSTRAINT}.budget={budget:g}") for budget in BUDGETS
    }
    runs = _study("frontier", rows, seeds, jobs)
    _draw(runs, HOME / "frontier.svg")
    return {"runs": runs}


def _study(
    name: str, rows: Mapping[str, Sequence[str]], seeds: int, jobs: int
) -> dict[str, list[dict[str, Any]]]:
    """Train what is missing of every row, certify it, and show the table."""
    seed = f"seed=range(1,{(seeds or SEEDS) + 1})"
    where = {row: HOME / name / _directory(row) for row in rows}
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda row: multirun(where[row], jobs, "experiment=safe", *rows[row], seed), rows))
    found = {row: [_judged(run) for run in finished(where[row])] for row in rows}
    _show(name, found)
    return found


def _directory(row: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in row).lower()


def _judged(run: Path) -> dict[str, Any]:
    """What a run's certificate and its training say; certified here unless it is."""
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    certificate = run / "certificate.json"
    told = json.loads(certificate.read_text(encoding="utf-8")) if certificate.exists() else certify(run)
    cost = told["costs"][CONSTRAINT]
    trained = result["training"][CONSTRAINT]
    return {
        "run": run.name,
        "return": told["return"]["mean"],
        "cost": cost["mean"],
        "upper": cost["upper"],
        "verdict": cost["verdict"],
        "episodes": told["return"]["episodes"],
        "stochastic cost": result["other_mode"]["costs"][CONSTRAINT]["mean"],
        "violations per 1,000 steps": trained["violations"],
        "regret": trained["regret"],
        "seconds": result["wall_s"],
    }


def _show(name: str, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """A row of the study per row of the table: means over seeds, the seeds' own returns and costs beside them."""
    table = Table(
        "",
        "return",
        "cost",
        "satisfied",
        "cost with noise",
        "violations per 1,000 steps",
        "minutes",
        title=name,
    )
    for row, runs in found.items():
        mean = {key: statistics.fmean(run[key] for run in runs) for key in runs[0] if _number(runs[0][key])}
        table.add_row(
            row,
            f"{mean['return']:,.0f} ({_each(runs, 'return', ',.0f')})",
            f"{mean['cost']:.1f} ({_each(runs, 'cost', '.1f')})",
            f"{sum(run['verdict'] == 'satisfied' for run in runs)} of {len(runs)}",
            f"{mean['stochastic cost']:.1f}",
            f"{mean['violations per 1,000 steps']:.1f}",
            f"{mean['seconds'] / 60.0:.1f}",
        )
    CONSOLE.print(table)


def _each(runs: Sequence[Mapping[str, Any]], key: str, form: str) -> str:
    return ", ".join(format(run[key], form) for run in runs)


def _number(value: Any) -> bool:
    return isinstance(value, int | float)


def _draw(found: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Return over cost: a dot per seed, a dashed line per budget."""
    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    plot = figure.subplots()
    for index, (budget, runs) in enumerate(found.items()):
        colour = f"C{index}"
        costs, returns = [run["cost"] for run in runs], [run["return"] for run in runs]
        plot.axvline(float(budget), color=colour, linestyle="--", linewidth=1.0)
        plot.scatter(costs, returns, color=colour, label=f"budget {budget}", zorder=3)
    plot.set_xlabel("cost per episode, steps faster than 0.7402 m/s")
    plot.set_ylabel("return")
    plot.margins(0.08)
    plot.legend(loc="lower right")
    figure.savefig(path)
