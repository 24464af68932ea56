"""A trained policy that acts: what a call costs, and whether it earns what evaluation says."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from measuring import HOME, python, show, spread, train

import pgrobot
from pgrobot.deploy import TrainedPolicy
from pgrobot.deploy.parity import session

CALLS = 2_000
EPISODES = 20
LOADING = """\
import sys, time, torch
begin = time.perf_counter(), time.process_time()
import pgrobot
pgrobot.load(sys.argv[1])
print(time.perf_counter() - begin[0], time.process_time() - begin[1])
"""


def acting(repeats: int, steps: int) -> dict[str, Any]:
    """Loading, acting and ONNX Runtime on a Hopper trained for ``steps``, and its return in Gymnasium's own."""
    run = HOME / "acting"
    train(run, "task=hopper", "constraint=[]", "tracker=none", f"total_steps={steps}", "seed=1")
    policy = pgrobot.load(run)
    exported = pgrobot.export(run)
    runtime = session((exported.path / "policy.onnx").read_bytes())
    observation = gymnasium.make("Hopper-v5").reset(seed=0)[0]
    rows = {"policy": torch.from_numpy(observation[None]).float()}
    carry, start = torch.zeros(1, policy.policy.carry_size), torch.zeros(1, dtype=torch.bool)

    def network() -> None:
        with torch.no_grad():
            _ = policy.policy(rows, carry, start)[0].deterministic

    calls: dict[str, Callable[[], Any]] = {
        "act, one observation, µs": lambda: policy.act(observation),
        "the network alone, µs": network,
        "ONNX Runtime, one observation, µs": lambda: runtime.run(None, {"policy": observation[None]}),
    }
    torch.set_num_threads(1)
    times = {name: [_microseconds(call) for _ in range(repeats)] for name, call in calls.items()}
    act, own, _ = times.values()
    beyond = [one - other for one, other in zip(act, own, strict=True)]
    loads, cpu = zip(*(map(float, python(LOADING, str(run)).split()) for _ in range(repeats)), strict=True)
    show(
        "a policy that acts",
        [
            *((name, *spread(values)) for name, values in times.items()),
            ("act beyond the network, µs", *spread(beyond)),
            ("load after torch's import, s", *spread(loads)),
            ("the same, CPU time, s", *spread(cpu)),
            ("ONNX parity, 1e-6 of half an action's range", *spread([1e6 * exported.difference])),
        ],
    )
    judged = pgrobot.evaluate(run, mode="deterministic", episodes=100)["return"]
    returns = [_episode(policy, seed) for seed in range(EPISODES)]
    low, high = judged["ci95"]
    show(
        "return, deterministic",
        [
            (f"gymnasium.make('Hopper-v5'), {EPISODES} episodes", *spread(returns, statistics.mean)),
            ("evaluate, 100 episodes: mean and its 95 % interval", judged["mean"], low, high),
        ],
    )
    return {
        "times_us": times,
        "beyond_us": beyond,
        "load_s": loads,
        "load_cpu_s": cpu,
        "parity": exported.difference,
        "returns": returns,
        "evaluated": judged,
        "step": policy.step,
    }


def _microseconds(call: Callable[[], Any]) -> float:
    """The median of many calls."""
    times = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return 1e6 * float(np.median(times))


def _episode(policy: TrainedPolicy, seed: int) -> float:
    robot = gymnasium.make("Hopper-v5")
    observation, _ = robot.reset(seed=seed)
    policy.reset()
    total, done = 0.0, False
    while not done:
        observation, reward, terminated, truncated, _ = robot.step(policy.act(observation))
        total, done = total + float(reward), terminated or truncated
    robot.close()
    return total
