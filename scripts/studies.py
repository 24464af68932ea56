"""Benchmarks of learning: multiruns that go on where they were interrupted, and what their policies return."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from measuring import CONSOLE, HOME
from omegaconf import OmegaConf
from rich.table import Table
from scipy import stats

from pgrobot import evaluate

# The best published returns after 1M steps (REINFORCE: 3M), several of them maxima over training on older robots.
BARS: Mapping[str, Mapping[str, float]] = {
    "ppo": {
        "halfcheetah": 5784, "hopper": 2609, "walker2d": 3589, "swimmer": 282, "reacher": -4.1,
        "inverteddoublependulum": 9231, "ant": 3258, "humanoid": 787,
    },
    "trpo": {
        "halfcheetah": 4471, "hopper": 3372, "walker2d": 4502, "swimmer": 359, "reacher": -5.1,
        "inverteddoublependulum": 8435, "ant": 3554, "humanoid": 810,
    },
    "npg": {
        "halfcheetah": 3485, "hopper": 1915, "walker2d": 2503, "reacher": -4.5,
        "inverteddoublependulum": 9243, "ant": 2358, "humanoid": 765,
    },
    "a2c": {
        "halfcheetah": 1830, "hopper": 1253, "walker2d": 1092, "swimmer": 201, "reacher": -6.7,
        "inverteddoublependulum": 9258, "ant": 3485, "humanoid": 1726,
    },
    "reinforce": {
        "halfcheetah": 884, "hopper": 396, "walker2d": 412, "reacher": -10.5,
        "inverteddoublependulum": 1060, "ant": 475, "humanoid": 438,
    },
}  # fmt: skip
FIVE_SEEDS = {(a, r) for a in ("ppo", "trpo") for r in ("halfcheetah", "hopper", "walker2d")}
PARTICULAR = {"a2c", "swimmer"}  # what has an experiment of its own
STEPS = {"reinforce": 3_000_000}
JUDGE_SEED, JUDGE_EPISODES = 20_000, 20
MODES = ("deterministic", "stochastic")


def learning(algorithms: Sequence[str], robots: Sequence[str], seeds: int, jobs: int) -> dict[str, Any]:
    """The final policies, v5, 20 fresh episodes each: interquartile mean over seeds and its 95 % interval."""
    found: dict[str, dict[str, Any]] = {}
    for algorithm in algorithms:
        chosen = [robot for robot in BARS[algorithm] if robot in (robots or BARS[algorithm])]
        for robot in chosen:
            experiment = "_".join(("learning", *(name for name in (algorithm, robot) if name in PARTICULAR)))
            count = seeds or (5 if (algorithm, robot) in FIVE_SEEDS else 3)
            multirun(
                HOME / "learning" / algorithm / robot, jobs, f"experiment={experiment}", f"algorithm={algorithm}",
                f"task={robot}", f"seed=range(1,{count + 1})", f"total_steps={STEPS.get(algorithm, 1_000_000)}",
            )  # fmt: skip
            runs = list(finished(HOME / "learning" / algorithm / robot))
            found.setdefault(algorithm, {})[robot] = {
                "bar": BARS[algorithm][robot],
                **{mode: [judged(run, mode) for run in runs] for mode in MODES},
            }
            show_returns(found)
    curves(found, HOME / "learning")
    return {"judge": {"seed": JUDGE_SEED, "episodes": JUDGE_EPISODES}, "returns": found}


def safe(robots: Sequence[str], seeds: int, jobs: int) -> dict[str, Any]:
    """The best feasible policies after 3M steps, v4, speed budget 25; the verdict is the run's own."""
    found: dict[str, list[dict[str, Any]]] = {}
    for robot in robots:
        place = HOME / "safe" / robot
        multirun(place, jobs, "experiment=safe", f"task={robot}", f"seed=range(1,{(seeds or 3) + 1})")
        for run in finished(place):
            result = json.loads((run / "result.json").read_text(encoding="utf-8"))
            chosen = {"run": run.name, "return": result["return"]["mean"], "costs": result["costs"]}
            chosen |= {f"stochastic {key}": value for key, value in stochastic(run).items()}
            found.setdefault(robot, []).append(chosen)
            CONSOLE.print(robot, chosen)
    return {"runs": found}


def multirun(directory: Path, jobs: int, *overrides: str) -> None:
    """Run what is missing of a sweep.

    Raises:
        SystemExit: a job failed.
    """
    launcher = ("hydra/launcher=joblib", f"hydra.launcher.n_jobs={jobs}") if jobs > 1 else ()
    command = ["-m", "pgrobot", "train", "-m", f"hydra.sweep.dir={directory}", *launcher, *overrides]
    CONSOLE.print("pgrobot", *command[2:], soft_wrap=True)
    if subprocess.run([sys.executable, *command], check=False, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"the sweep in {directory} failed")


def finished(sweep: Path) -> Iterator[Path]:
    """The finished runs of a sweep, in the order of their seeds."""
    runs = [path.parent for path in sweep.glob("*/result.json")]
    return iter(sorted(runs, key=lambda run: OmegaConf.load(run / "config.yaml").seed))


def judged(run: Path, mode: str) -> float:
    """The mean return of a run's final policy, remembered in the run's directory."""
    path = run / f"judged_{mode}.json"
    if not path.exists():
        told = evaluate(run, checkpoint="last", episodes=JUDGE_EPISODES, seed=JUDGE_SEED, mode=mode)
        path.write_text(json.dumps(told["return"]), encoding="utf-8")
    return float(json.loads(path.read_text(encoding="utf-8"))["mean"])


def stochastic(run: Path) -> dict[str, Any]:
    """The best feasible policy as it acts when it explores: return, and each budget's verdict."""
    told = evaluate(run, mode="stochastic")
    verdicts = {name: (cost["mean"], cost["verdict"]) for name, cost in told["costs"].items()}
    return {"return": told["return"]["mean"], "costs": verdicts}


def interquartile_mean(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """The mean without the lowest and the highest quarter (Agarwal et al. 2021, arXiv 2108.13264)."""
    trimmed: np.ndarray = stats.trim_mean(values, 0.25, axis=axis)
    return trimmed


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the interquartile mean over seeds."""
    resampled = stats.bootstrap(
        (np.asarray(values),), interquartile_mean, confidence_level=0.95, method="percentile", rng=0
    )
    low, high = resampled.confidence_interval
    return float(low), float(high)


def show_returns(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a line per algorithm and robot."""
    table = Table("algorithm", "robot", "mean", "IQM", "95 % interval", "stochastic", "bar", "seeds")
    for algorithm, robots in found.items():
        for robot, told in robots.items():
            values = told["deterministic"]
            low, high = interval(values)
            table.add_row(
                algorithm, robot, f"{np.mean(values):,.1f}", f"{interquartile_mean(np.array(values)):,.1f}",
                f"{low:,.1f} to {high:,.1f}", f"{np.mean(told['stochastic']):,.1f}", f"{told['bar']:,}",
                " ".join(f"{value:,.1f}" for value in values),
            )  # fmt: skip
    CONSOLE.print(table)


def curves(found: Mapping[str, Mapping[str, Any]], home: Path) -> None:
    """Draw the return of training episodes over environment steps, a picture per robot, into ``home``."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    for robot in dict.fromkeys(robot for robots in found.values() for robot in robots):
        figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
        for algorithm in (algorithm for algorithm in found if robot in found[algorithm]):
            lines = [curve(run) for run in finished(home / algorithm / robot)]
            steps = lines[0][0]
            returns = np.array([np.interp(steps, *line) for line in lines])
            (line,) = axes.plot(steps / 1e6, returns.mean(0), label=algorithm)
            axes.fill_between(
                steps / 1e6, returns.min(0), returns.max(0), color=line.get_color(), alpha=0.2, linewidth=0
            )
        axes.set(xlabel="million environment steps", ylabel="return while training", title=robot)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(home / f"{robot}.png", dpi=120)
        plt.close(figure)


def curve(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """Steps and the mean return of the episodes that ended, averaged over a fiftieth of the training."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    told = [metrics for metrics in map(json.loads, lines) if metrics.get("return/mean") is not None]
    steps = np.array([line["global_step"] for line in told], dtype=float)
    returns = np.array([line["return/mean"] for line in told])
    width = max(1, len(steps) // 50)
    kernel = np.ones(width) / width
    return np.convolve(steps, kernel, "valid"), np.convolve(returns, kernel, "valid")
