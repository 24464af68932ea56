"""Peers of the learning study: Stable-Baselines3 and sb3-contrib on the same v5 robots, judged the same way.

Their settings are the tuned ones of RL Baselines3 Zoo for the older versions of these robots (for A2C, which it tunes
for PyBullet only, those).
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from goals import GOALS
from learning import JUDGE_EPISODES, JUDGE_SEED, steps
from measuring import CONSOLE, HOME
from page import MODES, ROBOTS, keep

LIBRARIES = {"ppo": "stable-baselines3", "a2c": "stable-baselines3", "trpo": "sb3-contrib"}
SMALL_STD = {"log_std_init": -2, "ortho_init": False}
WIDE = SMALL_STD | {"activation_fn": "ReLU", "net_arch": {"pi": [256, 256], "vf": [256, 256]}}
TUNED: Mapping[str, Mapping[str, Any]] = {
    "trpo": {
        "envs": 2, "n_steps": 1024, "batch_size": 128, "gae_lambda": 0.95, "learning_rate": 1e-3, "cg_max_steps": 25,
        "cg_damping": 0.1, "n_critic_updates": 20, "sub_sampling_factor": 1,
    },
    "a2c": {
        "envs": 4, "n_steps": 8, "gae_lambda": 0.9, "vf_coef": 0.4, "max_grad_norm": 0.5, "use_rms_prop": True,
        "normalize_advantage": False, "learning_rate": "linear 9.6e-4", "use_sde": True, "policy_kwargs": SMALL_STD,
    },
    "ppo": {"envs": 1},
}  # fmt: skip
PARTICULAR: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("trpo", "halfcheetah"): {"target_kl": 0.04},
    **{(algorithm, "swimmer"): {"gamma": 0.9999} for algorithm in TUNED},
    ("ppo", "halfcheetah"): {
        "batch_size": 64, "n_steps": 512, "gamma": 0.98, "learning_rate": 2.0633e-5, "ent_coef": 0.000401762,
        "clip_range": 0.1, "n_epochs": 20, "gae_lambda": 0.92, "max_grad_norm": 0.8, "vf_coef": 0.58096,
        "policy_kwargs": WIDE,
    },
    ("ppo", "hopper"): {
        "batch_size": 32, "n_steps": 512, "gamma": 0.999, "learning_rate": 9.80828e-5, "ent_coef": 0.00229519,
        "clip_range": 0.2, "n_epochs": 5, "gae_lambda": 0.99, "max_grad_norm": 0.7, "vf_coef": 0.835671,
        "policy_kwargs": WIDE,
    },
    ("ppo", "walker2d"): {
        "batch_size": 32, "n_steps": 512, "gamma": 0.99, "learning_rate": 5.05041e-5, "ent_coef": 0.000585045,
        "clip_range": 0.1, "n_epochs": 20, "gae_lambda": 0.95, "max_grad_norm": 1.0, "vf_coef": 0.871923,
    },
}  # fmt: skip


def peers(
    algorithms: Sequence[str], robots: Sequence[str], seeds: int, jobs: int, into: Path
) -> dict[str, Any]:
    """Train and judge what is missing, ``jobs`` at a time, record each cell and write the page.

    Raises:
        SystemExit: a training failed.
    """
    cells = [(algorithm, robot) for algorithm in algorithms for robot in robots if robot in GOALS[algorithm]]
    trainings = [(*cell, seed) for cell in cells for seed in range(1, (seeds or 3) + 1)]
    with ThreadPoolExecutor(jobs) as pool:
        told = dict(zip(trainings, pool.map(trained, trainings), strict=True))
    for algorithm, robot in cells:
        runs = [run for training, run in told.items() if training[:2] == (algorithm, robot)]
        keep(record(algorithm, robot, runs), into)
    return {"cells": cells, "into": str(into)}


def trained(training: tuple[str, str, int]) -> dict[str, Any]:
    """What one training told, now or earlier.

    Raises:
        SystemExit: it failed.
    """
    path = HOME / "peers" / "_".join(map(str, training)) / "told.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        CONSOLE.print("peer", *training, markup=False)
        if subprocess.run([sys.executable, __file__, *map(str, training), path], check=False).returncode:
            raise SystemExit(f"the peer {training} failed")
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def record(algorithm: str, robot: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is kept of a cell, as of one of the study's own, but for the curve."""
    return {
        "algorithm": algorithm,
        "robot": robot,
        "peer": LIBRARIES[algorithm],
        "settings": settings(algorithm, robot),
        "versions": runs[0]["versions"],
        "date": max(run["date"] for run in runs),
        "env_steps_per_s": [run["env_steps_per_s"] for run in runs],
        "seeds": list(range(1, len(runs) + 1)),
        **{mode: [run[mode] for run in runs] for mode in MODES},
    }


def settings(algorithm: str, robot: str) -> dict[str, Any]:
    """The peer's settings on a robot."""
    return {**TUNED[algorithm], **PARTICULAR.get((algorithm, robot), {})}


def train(algorithm: str, robot: str, seed: int, path: Path) -> None:
    """Train a peer, judge its final policy over fresh episodes in both modes, and write what it told to ``path``."""
    import torch
    from sb3_contrib import TRPO
    from stable_baselines3 import A2C, PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

    torch.set_num_threads(1)
    chosen = settings(algorithm, robot)
    name, budget = f"{ROBOTS[robot]}-v5", steps(algorithm, robot)
    world = VecNormalize(
        make_vec_env(name, n_envs=chosen.pop("envs"), seed=seed), gamma=chosen.get("gamma", 0.99)
    )
    if isinstance(chosen.get("learning_rate"), str):
        initial = float(chosen["learning_rate"].removeprefix("linear "))
        chosen["learning_rate"] = lambda left: left * initial
    if "activation_fn" in chosen.get("policy_kwargs", {}):
        chosen["policy_kwargs"] = chosen["policy_kwargs"] | {"activation_fn": torch.nn.ReLU}
    kind: Any = {"ppo": PPO, "a2c": A2C, "trpo": TRPO}[algorithm]
    model = kind("MlpPolicy", world, seed=seed, device="cpu", **chosen)
    begin = time.perf_counter()
    model.learn(budget)
    speed = budget / (time.perf_counter() - begin)
    told = {
        **{mode: judged(model, world, name, mode == "deterministic") for mode in MODES},
        "env_steps_per_s": round(speed),
        "date": time.strftime("%Y-%m-%d"),
        "versions": {
            package: importlib.metadata.version(package)
            for package in ("torch", "mujoco", "gymnasium", LIBRARIES[algorithm])
        },
    }
    path.write_text(json.dumps(told), encoding="utf-8")


def judged(model: Any, normalizer: Any, name: str, deterministic: bool) -> float:
    """The mean return over fresh episodes, rewards as the robot pays them."""
    import gymnasium

    world, total = gymnasium.make(name), 0.0
    for episode in range(JUDGE_EPISODES):
        obs, _ = world.reset(seed=JUDGE_SEED + episode)
        over = False
        while not over:
            action, _ = model.predict(normalizer.normalize_obs(obs), deterministic=deterministic)
            obs, reward, terminated, truncated, _ = world.step(action)
            total += float(reward)
            over = terminated or truncated
    return round(total / JUDGE_EPISODES, 2)


if __name__ == "__main__":
    train(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
