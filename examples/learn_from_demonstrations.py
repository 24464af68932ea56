"""Record what a trained hopper does, clone it, and learn on from it.

python examples/learn_from_demonstrations.py

A demonstrator is trained, and twenty of its episodes are kept in a file. A clone learns from the file alone, without a
step of the simulator. DAPG has the reward besides: it is led by the demonstrations at first, and goes beyond them.
"""

import argparse
from typing import Any

import pgrobot
from pgrobot.demonstrations import read_demonstrations

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500_000)
    parser.add_argument("--episodes", type=int, default=20)
    asked = parser.parse_args()
    common: dict[str, Any] = {
        "task": "hopper",
        "constraint": "none",
        "total_steps": asked.steps,
        "quiet": True,
    }

    expert = pgrobot.train(algorithm="ppo", **common)
    file = str(pgrobot.record(expert, episodes=asked.episodes))
    shown = read_demonstrations(file)
    print(f"demonstrations: {len(shown):,} steps, return {float(shown.returns.mean()):.0f}")

    clone = pgrobot.train(scheme="clone", **{**common, "scheme.file": file})
    print(f"clone: return {clone.evaluation['return']['mean']:.0f} without a step of the simulator")

    led = {**common, "algorithm": "dapg", "algorithm.objective.demonstration.file": file}
    beyond = pgrobot.train(**led)
    print(f"DAPG: return {beyond.evaluation['return']['mean']:.0f} after {asked.steps:,} steps")
