"""What it costs to look: diagnostics of every iteration, the report of a long run, a film."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measuring import BARE, HOME, command, fresh, show, spread, train

ROBOTS = ("halfcheetah", "hopper")
WITHOUT = ("~diagnostics.torque", "~diagnostics.violations")
ALIKE = (*BARE, "total_steps=153600")
LONG = ("task=halfcheetah", "tracker=none", "report=false", "total_steps=1000000", "seed=1")
SECONDS = 10  # of film


def diagnostics(repeats: int, run: Path | None) -> dict[str, Any]:
    """Time with the diagnostics of every iteration over that without, in pairs; and a report and a film of a run.

    Args:
        repeats: pairs, reports and films.
        run: what is reported and filmed; none: one of a million steps, which is trained.
    """
    pairs = {robot: [_pair(robot, bool(index % 2)) for index in range(repeats)] for robot in ROBOTS}
    more = {
        f"{robot}: {what}, %": [100.0 * (a / b - 1.0) for a, b in (pair[what] for pair in of_robot)]
        for robot, of_robot in pairs.items()
        for what in ("time of an iteration", "CPU time of the run")
    }
    show(
        "what the diagnostics of every iteration add",
        [(name, *spread(values)) for name, values in more.items()],
    )
    run = run or _long()
    reports = [_seconds("report", str(run)) for _ in range(repeats)]
    size = (run / "report.html").stat().st_size / 1e6
    films = [_seconds("play", str(run), "--seconds", str(SECONDS), "--film") for _ in range(repeats)]
    show(
        "of a run that has ended",
        [
            ("its report, s", *spread(reports)),
            ("the page, MB", *spread([size])),
            (f"a film of {SECONDS} s, s", *spread(films)),
        ],
    )
    return {"pairs": pairs, "added_percent": more, "report_s": reports, "report_mb": size, "film_s": films}


def _pair(robot: str, without_first: bool) -> dict[str, tuple[float, float]]:
    """By what is counted: with them and without, measured one after the other."""
    measured = {}
    for removed in sorted(((), WITHOUT), reverse=without_first):
        run, before = HOME / "diagnostics", resource.getrusage(resource.RUSAGE_CHILDREN)
        train(run, f"task={robot}", *ALIKE, *removed)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        metrics = [json.loads(line) for line in lines]
        late = metrics[len(metrics) // 10 : -1]  # the first compile, the last is evaluated
        measured[bool(removed)] = (
            (late[-1]["time/wall_s"] - late[0]["time/wall_s"]) / (len(late) - 1),
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        )
    (iteration, cpu), (iteration_without, cpu_without) = measured[False], measured[True]
    return {
        "time of an iteration": (iteration, iteration_without),
        "CPU time of the run": (cpu, cpu_without),
    }


def _long() -> Path:
    """A finished run of a million steps; one that is there already is taken."""
    run = HOME / "diagnostics_long"
    if not (run / "result.json").exists():
        subprocess.run(command(fresh(run), *LONG), stdout=subprocess.DEVNULL, check=True)
    shutil.rmtree(run / "figures" / "report", ignore_errors=True)
    return run


def _seconds(*words: str) -> float:
    """Of a command of pgrobot, from its start to its end."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pgrobot", *words], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin
