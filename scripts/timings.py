"""Benchmarks of time and memory: medians of repeats, and of ratios of pairs run one after the other."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from measuring import HOME, command, fresh, python, show, spread, train
from mujoco.batch import Batch

from pgrobot import compose
from pgrobot.assembly import build_environment
from pgrobot.simulation.environment import BatchEnvironment


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


def trust_region(repeats: int) -> dict[str, Any]:
    """HalfCheetah-v5, TRPO 64×64, 2,048 steps per iteration, the same critic fit, against sb3-contrib."""
    ours: list[float] = []
    theirs: dict[int, list[float]] = {envs: [] for envs in (1, 8)}
    for _ in range(repeats):
        ours.append(training_speed("algorithm=trpo", *TRPO_ALIKE, "total_steps=204800"))
        for envs, speeds in theirs.items():
            speeds.append(float(python(_SB3_TRPO, str(envs)).split()[-1]))
    rows = [("pgrobot, 64 environments", *spread(ours))]
    rows += [(f"sb3-contrib, {envs} environment(s)", *spread(speeds)) for envs, speeds in theirs.items()]
    show("env-steps/s", rows)
    ratios = {envs: [a / b for a, b in zip(ours, speeds, strict=True)] for envs, speeds in theirs.items()}
    show("ratio", [(f"to {envs} environment(s)", *spread(values)) for envs, values in ratios.items()])
    return {"pgrobot": ours, "sb3_contrib": theirs, "ratio": ratios}


# sb3-contrib's defaults: 15 conjugate-gradient iterations, 10 passes over the critic in minibatches of 128.
TRPO_ALIKE = (
    "algorithm.policy_solver.iterations=15",
    "algorithm.critic_solver.epochs=10",
    "algorithm.critic_solver.minibatch=128",
)
_SB3_TRPO = """
import sys, time, torch
from sb3_contrib import TRPO
from stable_baselines3.common.env_util import make_vec_env
envs = int(sys.argv[1])
if envs > 1:
    torch.set_num_threads(1)
world = make_vec_env("HalfCheetah-v5", n_envs=envs)
alike = dict(batch_size=128, n_critic_updates=10, cg_max_steps=15)
model = TRPO("MlpPolicy", world, n_steps=2048 // envs, device="cpu", **alike)
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
