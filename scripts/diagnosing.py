"""What it costs to look: diagnostics of every iteration, the report of a long run, a film."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from measuring import BARE, HOME, command, fresh, quartiles, show, spread, train

ROBOTS = ("halfcheetah", "hopper")
EVERY_ITERATION = ("torque", "violations")
ALIKE = (*BARE, "total_steps=614400")  # 300 iterations
LONG = ("task=halfcheetah", "tracker=none", "report=false", "total_steps=1000000", "seed=1")
SECONDS = 10  # of film


def diagnostics(repeats: int, run: Path | None) -> dict[str, Any]:
    """Time of iterations with the diagnostics over that of their neighbours without; and a report and a film of a run.

    Args:
        repeats: runs of each robot, reports and films.
        run: what is reported and filmed; none: one of a million steps, which is trained.
    """
    more = {robot: [value for _ in range(repeats) for value in _more(robot)] for robot in ROBOTS}
    show(
        "what the diagnostics of every iteration add to its time, %",
        [(robot, *quartiles(values)) for robot, values in more.items()],
        ("middle", "lower quartile", "upper quartile"),
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
    return {"added_percent": more, "report_s": reports, "report_mb": size, "film_s": films}


def _more(robot: str) -> list[float]:
    """What iterations with them took more than the mean of their two neighbours without, in percent.

    A machine that others use is now slow and now fast; neighbours in one run meet it alike.
    """
    run = HOME / "diagnostics"
    train(run, f"task={robot}", *ALIKE, *(f"diagnostics.{name}.every=2" for name in EVERY_ITERATION))
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ends = [json.loads(line)["time/wall_s"] for line in lines]
    seconds = [end - begin for begin, end in pairwise(ends)]  # of iterations 2, 3, …
    late = range(len(ends) // 10, len(seconds) - 1)  # the first compile, the last is evaluated
    return [
        100.0 * (2.0 * seconds[i] / (seconds[i - 1] + seconds[i + 1]) - 1.0) for i in late if _looks(lines, i)
    ]


def _looks(lines: list[str], index: int) -> bool:
    """Whether the iteration that took ``seconds[index]`` was looked at."""
    return '/gradient_reward"' in lines[index + 1]


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
