"""Measure what docs/benchmarks.md states: one subcommand per figure.

    python scripts/benchmark.py speed          env-steps/s against Stable-Baselines3 in the same run
    python scripts/benchmark.py fast           env-steps/s of experiment=fast
    python scripts/benchmark.py environment    the environment alone against bare mujoco.batch
    python scripts/benchmark.py startup        seconds to the end of the first iteration, and peak memory
    python scripts/benchmark.py learning       returns after 1M steps; resumable
    python scripts/benchmark.py safe           returns and verdicts under a speed budget after 3M steps; resumable

Each prints a table and keeps its numbers in runs/benchmarks/<subcommand>.json. Ratios come from pairs measured one
after the other, so they hold on a machine whose speed drifts; medians are given with the range beside them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mujoco.batch import Batch
from rich.console import Console
from rich.table import Table

from pgrobot import compose, evaluate
from pgrobot.configure import build_environment
from pgrobot.simulation.environment import BatchEnvironment

HOME = Path("runs/benchmarks")
CONSOLE = Console()
ROBOTS = ("halfcheetah", "hopper", "walker2d")


def main() -> None:
    """Run one subcommand."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="name", required=True)
    timings = {function.__name__: function for function in (speed, fast, environment, startup)}
    studies = {function.__name__: function for function in (learning, safe)}
    for name in timings:
        commands.add_parser(name).add_argument("--repeats", type=int, default=5)
    for name, robots, seeds in (("learning", ROBOTS, 5), ("safe", ROBOTS[:2], 3)):
        parts = commands.add_parser(name)
        parts.add_argument("--robots", nargs="+", default=robots)
        parts.add_argument("--seeds", type=int, default=seeds)
        parts.add_argument("--jobs", type=int, default=2, help="trainings at a time")
        parts.add_argument(
            "--set", dest="more", nargs="*", default=(), help="more overrides of the trainings"
        )
    arguments = vars(parser.parse_args())
    name = arguments.pop("name")
    HOME.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine(), **(timings | studies)[name](**arguments)}
    (HOME / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def speed(repeats: int) -> dict[str, Any]:
    """HalfCheetah-v5, PPO 64×64, 2,048 steps per iteration, minibatch 64, 10 epochs."""
    peers = (1, 8, 16, 32)
    ours: list[float] = []
    theirs: dict[int, list[float]] = {envs: [] for envs in peers}
    for _ in range(repeats):
        ours.append(training_speed("experiment=efficient", "total_steps=204800"))
        for envs in peers:
            theirs[envs].append(float(python(_SB3, str(envs)).split()[-1]))
    best = max(peers[1:], key=lambda envs: statistics.median(theirs[envs]))
    ratios = {envs: [a / b for a, b in zip(ours, theirs[envs], strict=True)] for envs in (1, best)}
    rows = [("pgrobot, 64 environments", *spread(ours))]
    rows += [(f"Stable-Baselines3, {envs} environment(s)", *spread(theirs[envs])) for envs in peers]
    show("env-steps/s", rows)
    names = {1: "to its default, 1 environment", best: f"to its best, {best} environments"}
    show("ratio", [(names[envs], *spread(values)) for envs, values in ratios.items()])
    return {"pgrobot": ours, "stable_baselines3": theirs, "ratio": ratios}


_SB3 = """
import sys, time, gymnasium, torch
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
envs = int(sys.argv[1])
if envs > 1:
    torch.set_num_threads(1)
world = make_vec_env("HalfCheetah-v5", n_envs=envs)
model = PPO("MlpPolicy", world, n_steps=2048 // envs, batch_size=64, n_epochs=10, device="cpu")
model.learn(2048)
start = time.perf_counter()
model.learn(4 * 2048, reset_num_timesteps=False)
print(4 * 2048 / (time.perf_counter() - start))
"""


def fast(repeats: int) -> dict[str, Any]:
    """HalfCheetah-v5 with experiment=fast."""
    ours = [training_speed("experiment=fast", "total_steps=819200") for _ in range(repeats)]
    show("env-steps/s", [("experiment=fast", *spread(ours))])
    return {"pgrobot": ours}


def training_speed(*overrides: str) -> float:
    """Env-steps/s of a training but its first tenth, where the update is compiled or loaded.

    Evaluations and checkpoints come at the end only: the peer makes none.
    """
    run = HOME / "speed"
    late = ("evaluation.every=1e9", "checkpoint.every=1e9")
    train(run, "task=halfcheetah", "constraint=none", "tracker=none", "seed=1", *late, *overrides)
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    metrics = [json.loads(line) for line in lines]
    start, end = metrics[len(metrics) // 10], metrics[-2]  # the last iteration contains the evaluation
    return (end["global_step"] - start["global_step"]) / (end["time/wall_s"] - start["time/wall_s"])


def environment(repeats: int) -> dict[str, Any]:
    """Observations, rewards, three costs and resets, N = 64, against Batch.step alone; the same threads."""
    ratios: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    steps, envs, threads = 1000, 64, os.cpu_count() or 1
    for robot in ("halfcheetah", "hopper"):
        cfg = compose(task=robot, constraint=["speed", "torque", "joint_velocity"], num_envs=envs)
        built = build_environment(cfg, envs, 0, threads)
        assert isinstance(built, BatchEnvironment)
        bare = Batch(built.model, envs, threads)
        action = np.random.default_rng(0).uniform(-1, 1, (steps, *bare.ctrl.shape))
        skip = cfg.task.frame_skip

        built.reset()
        pairs = [
            (stepping(built.step, action), stepping(partial(bare_step, bare, skip), action))
            for _ in range(repeats)
        ]
        ratios[robot] = [without / with_all for with_all, without in pairs]
        rates[robot] = [steps * envs / with_all for with_all, _ in pairs]
        rates[f"{robot}, bare mujoco.batch"] = [steps * envs / without for _, without in pairs]
    show("env-steps/s", [(name, *spread(values)) for name, values in rates.items()])
    show("share of bare mujoco.batch", [(name, *spread(values)) for name, values in ratios.items()])
    return {"env_steps_per_s": rates, "share": ratios}


def stepping(step: Callable[[np.ndarray], object], actions: np.ndarray) -> float:
    """Seconds for one step per action."""
    begin = time.perf_counter()
    for action in actions:
        step(action)
    return time.perf_counter() - begin


def bare_step(batch: Batch, frame_skip: int, action: np.ndarray) -> None:
    """What no environment can do without."""
    batch.ctrl[:] = action
    batch.step(nstep=frame_skip)


def startup(repeats: int) -> dict[str, Any]:
    """The default run: seconds from the command to the end of its first iteration, and its peak memory."""
    times, peaks = [], []
    for index in range(repeats + 1):  # the first fills the compile cache
        run = fresh(HOME / "startup")
        begin = time.perf_counter()
        process = subprocess.Popen(command(run, "seed=1", "total_steps=102400"), stdout=subprocess.DEVNULL)
        metrics = run / "metrics.jsonl"
        while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
            time.sleep(0.01)
        elapsed = time.perf_counter() - begin
        if process.wait():
            raise SystemExit("the run failed")
        if index:
            times.append(elapsed)
        peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6)
    show("the default run", [("seconds to the end of the first iteration", *spread(times)),
                             ("peak memory of its largest process, GB", *spread(peaks[-1:]))])  # fmt: skip
    return {"first_iteration_s": times, "peak_memory_gb": peaks[-1]}


def learning(robots: Sequence[str], seeds: int, jobs: int, more: Sequence[str]) -> dict[str, Any]:
    """The final policies after 1M steps, v5, 20 fresh episodes each."""
    overrides = ("experiment=efficient", "constraint=none", "total_steps=1e6", "evaluation.every=1e6", *more)
    return study("learning", robots, seeds, jobs, overrides, episodes=20)


def safe(robots: Sequence[str], seeds: int, jobs: int, more: Sequence[str]) -> dict[str, Any]:
    """The best feasible policies after 3M steps, v4, speed budget 25; the verdict is the run's own."""
    budget = ("constraint=speed", "constraint.speed.budget=25")
    overrides = ("task.version=v4", *budget, "total_steps=3e6", *more)
    return study("safe", robots, seeds, jobs, overrides, episodes=100)


def study(
    name: str, robots: Sequence[str], seeds: int, jobs: int, overrides: Sequence[str], episodes: int
) -> dict[str, Any]:
    """Train every robot with every seed, skipping what an earlier call finished, and evaluate."""
    jobs_of = [(robot, seed) for robot in robots for seed in range(1, seeds + 1)]
    runs = {(robot, seed): HOME / name / f"{robot}_seed{seed}" for robot, seed in jobs_of}
    waiting = [
        command(run, f"task={robot}", f"seed={seed}", "tracker=none", "threads=1", *overrides)
        for (robot, seed), run in runs.items()
        if not finished(run)
    ]
    together(waiting, jobs)
    found: dict[str, list[dict[str, Any]]] = {robot: [] for robot in robots}
    for (robot, seed), path in runs.items():
        judged = partial(evaluate, path, checkpoint="last", episodes=episodes, seed=20_000)
        final = {mode: judged(mode=mode)["return"]["mean"] for mode in ("deterministic", "stochastic")}
        result = json.loads((path / "result.json").read_text(encoding="utf-8"))
        chosen = {"return": result["return"]["mean"], "costs": result["costs"]}
        found[robot].append({"seed": seed, "final": final, "best_feasible": chosen})
    for mode in ("deterministic", "stochastic"):
        returns = {robot: [run["final"][mode] for run in found[robot]] for robot in robots}
        table = [(robot, *spread(values, middle=statistics.fmean)) for robot, values in returns.items()]
        show(f"return of the final policies, {mode}, {episodes} episodes: mean over seeds", table)
    for robot in robots:
        for run in found[robot]:
            best = run["best_feasible"]
            verdicts = {k: (round(c["mean"], 1), c["verdict"]) for k, c in best["costs"].items()}
            CONSOLE.print(robot, "seed", run["seed"], "best feasible", round(best["return"], 1), verdicts)
    return {"overrides": list(overrides), "episodes": episodes, "runs": found}


def together(commands: Sequence[Sequence[str]], jobs: int) -> None:
    """Run commands, ``jobs`` at a time."""
    running: list[subprocess.Popen] = []
    for index, arguments in enumerate(commands):
        while len(running) >= jobs:
            time.sleep(0.2)
            running = [process for process in running if process.poll() is None]
        CONSOLE.print(f"[{index + 1}/{len(commands)}]", *arguments[3:])
        running.append(subprocess.Popen(arguments, stdout=subprocess.DEVNULL))
    for process in running:
        process.wait()


def train(run: Path, *overrides: str) -> None:
    """Train in a fresh directory.

    Raises:
        SystemExit: the run failed.
    """
    fresh(run)
    if subprocess.run(command(run, *overrides), stdout=subprocess.DEVNULL, check=False).returncode:
        raise SystemExit(f"the run {run} failed")


def command(run: Path, *overrides: str) -> list[str]:
    """The command that trains in a directory, or goes on where it was interrupted."""
    if (run / "checkpoints/last.pt").exists():
        return [sys.executable, "-m", "pgrobot", "train", f"resume={run}"]
    return [sys.executable, "-m", "pgrobot", "train", f"hydra.run.dir={run}", *overrides]


def finished(run: Path) -> bool:
    """Whether the run wrote its result."""
    path = run / "result.json"
    return path.exists() and json.loads(path.read_text(encoding="utf-8"))["status"] == "finished"


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


def show(title: str, rows: Sequence[tuple[str, float, float, float]]) -> None:
    """Print a table of spreads."""
    table = Table("", "middle", "least", "greatest", title=title)
    for name, *values in rows:
        table.add_row(name, *(f"{value:,.2f}" if value < 100 else f"{value:,.0f}" for value in values))
    CONSOLE.print(table)


def machine() -> dict[str, Any]:
    """Where the numbers were measured, and with what."""
    packages = ("pgrobot", "torch", "mujoco", "gymnasium", "stable-baselines3")
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


if __name__ == "__main__":
    main()
