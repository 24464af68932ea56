"""A car too weak for its hill, which is paid only on top: with and without curiosity, and by curiosity alone.

python examples/curiosity.py

The bonus is a column of its own beside the reward: it has its own value, discount and weight. Policies are judged by
what the task pays, the share of episodes that reach the top.
"""

import argparse
from typing import Any

import pgrobot

WAYS: dict[str, dict[str, Any]] = {
    "the reward alone": {},
    "with curiosity": {"intrinsic": ["rnd"]},
    "with counts that fade": {
        "intrinsic": {"grid": {"size": {"policy/0": 0.1, "policy/1": 0.01}, "schedule": "linear"}}
    },
    "curiosity alone": {"intrinsic": ["rnd"], "wrapper": ["reward_weight"]},
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    steps = parser.parse_args().steps
    for name, settings in WAYS.items():
        result = pgrobot.train(
            task="mountain_car_sparse", num_envs=16, total_steps=steps, quiet=True, **settings
        )
        print(f"{name}: {result.evaluation['return']['mean']:.0%} of episodes reach the top")
