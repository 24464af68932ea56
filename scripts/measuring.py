"""What the benchmarks share: running commands, tables, and saying where the numbers come from."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from pgrobot.cores import physical_cores

HOME = Path("runs/benchmarks")
# A run of iterations and nothing else, of which pairs are timed.
BARE = (
    "tracker=none",
    "report=false",
    "diagnostics.sensitivity.at_end=false",
    "evaluation.every=1e9",
    "checkpoint.every=1e9",
    "evaluation.episodes=2",
    "evaluation.final_episodes=2",
    "seed=1",
)
CONSOLE = Console()


def train(run: Path, *overrides: str) -> None:
    """Train in a fresh directory.

    Raises:
        SystemExit: the run failed.
    """
    if subprocess.run(command(fresh(run), *overrides), stdout=subprocess.DEVNULL, check=False).returncode:
        raise SystemExit(f"the run {run} failed")


def command(run: Path, *overrides: str) -> list[str]:
    """The command that trains in a directory."""
    return [sys.executable, "-m", "pgrobot", "train", f"hydra.run.dir={run}", *overrides]


def multirun(directory: Path, at_once: int, *overrides: str) -> None:
    """Run what is missing of a sweep, with the share of the cores of one of ``at_once`` sweeps.

    Raises:
        SystemExit: a job failed.
    """
    threads = max(1, physical_cores() // at_once)
    settings = (f"hydra.sweep.dir={directory}", f"threads={threads}", *overrides)
    CONSOLE.print(shlex.join(("pgrobot", "train", "-m", *settings)), markup=False, soft_wrap=True)
    words = [sys.executable, "-m", "pgrobot", "train", "-m", *settings]
    if subprocess.run(words, check=False, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"the sweep in {directory} failed")


def finished(sweep: Path) -> list[Path]:
    """The finished runs of a sweep, in the order of their seeds."""
    runs = [path.parent for path in sweep.glob("*/result.json")]
    return sorted(runs, key=lambda run: int(OmegaConf.load(run / "config.yaml").seed))


def fresh(run: Path) -> Path:
    """The directory, gone."""
    shutil.rmtree(run, ignore_errors=True)
    return run


def python(source: str, *arguments: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", source, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def spread(
    values: Sequence[float], middle: Callable[[Sequence[float]], float] = statistics.median
) -> tuple[float, float, float]:
    """Middle, least and greatest."""
    return middle(values), min(values), max(values)


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Middle, lower and upper quartile."""
    lower, middle, upper = statistics.quantiles(values, n=4)
    return middle, lower, upper


def show(
    title: str,
    rows: Sequence[tuple[str, float, float, float]],
    columns: Sequence[str] = ("middle", "least", "greatest"),
) -> None:
    """Print a table of spreads."""
    table = Table("", *columns, title=title)
    for name, *values in rows:
        table.add_row(name, *(f"{value:,.2f}" if value < 100 else f"{value:,.0f}" for value in values))
    CONSOLE.print(table)


def machine() -> dict[str, Any]:
    """Where the numbers were measured, and with what."""
    packages = (
        "pgrobot",
        "torch",
        "mujoco",
        "gymnasium",
        "stable-baselines3",
        "sb3-contrib",
        "onnx",
        "onnxruntime",
    )
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "commit": subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip(),
        "date": time.strftime("%Y-%m-%d"),
    }
