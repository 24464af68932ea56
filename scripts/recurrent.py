"""Policies that remember, beside sb3-contrib's RecurrentPPO: end to end, memories and perceptrons of the same sizes."""

from __future__ import annotations

import statistics
from typing import Any

from measuring import python, show, spread
from timings import training_speed

# A memory of 64 under a perceptron of 64, in the policy and in the critic; 2,048 steps per iteration in 32 minibatches
# of 64, ten times.
OURS = ("experiment=efficient", "policy=recurrent", "critic=recurrent", "total_steps=204800")
THEIRS = (1, 8, 32)  # environments: theirs by default is one


def recurrent(repeats: int) -> dict[str, Any]:
    """HalfCheetah-v5, PPO with memories of 64 in policy and critic: ours a GRU, theirs an LSTM."""
    ours: list[float] = []
    theirs: dict[int, list[float]] = {envs: [] for envs in THEIRS}
    for _ in range(repeats):
        ours.append(training_speed(*OURS))
        for envs, speeds in theirs.items():
            speeds.append(float(python(_SB3, str(envs)).split()[-1]))
    best = max(THEIRS, key=lambda envs: statistics.median(theirs[envs]))
    rows = [("pgrobot, GRU, 64 environments", *spread(ours))]
    rows += [
        (f"RecurrentPPO, LSTM, {envs} environment(s)", *spread(speeds)) for envs, speeds in theirs.items()
    ]
    show("env-steps/s", rows)
    ratios = {
        envs: [a / b for a, b in zip(ours, theirs[envs], strict=True)] for envs in dict.fromkeys((1, best))
    }
    names = {best: f"to its best, {best} environment(s)"} | {1: "to its default, 1 environment"}
    show("ratio", [(names[envs], *spread(values)) for envs, values in ratios.items()])
    return {"pgrobot": ours, "recurrent_ppo": theirs, "ratio": ratios}


_SB3 = """
import sys, time, gymnasium, torch
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.env_util import make_vec_env
envs = int(sys.argv[1])
torch.set_num_threads(1)
world = make_vec_env("HalfCheetah-v5", n_envs=envs)
sizes = dict(lstm_hidden_size=64, net_arch=[64], enable_critic_lstm=True)
rollout = dict(n_steps=2048 // envs, batch_size=64, n_epochs=10)
model = RecurrentPPO("MlpLstmPolicy", world, device="cpu", policy_kwargs=sizes, **rollout)
model.learn(2048)
start = time.perf_counter()
model.learn(2 * 2048, reset_num_timesteps=False)
print(2 * 2048 / (time.perf_counter() - start))
"""
