"""PPO, and GePPO that learns from its last rollouts as well, by the same number of environment steps.

python examples/past_experience.py
"""

import argparse
import json
from pathlib import Path

import pgrobot

# GePPO's rollouts are half as long: in the steps of one of PPO's it makes two updates, each from four rollouts.
HORIZON = {"ppo": 32, "geppo": 16}


def replayed(directory):
    """The last update's account of the past that it learnt from."""
    last = json.loads((Path(directory) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    return {name: round(value, 3) for name, value in last.items() if name.startswith("replay/")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300_000)
    asked = parser.parse_args()
    for name, horizon in HORIZON.items():
        result = pgrobot.train(
            task="hopper", algorithm=name, horizon=horizon, total_steps=asked.steps, seed=1
        )
        print(f"{name}: return {result.evaluation['return']['mean']:.0f}, {replayed(result.path)}")
