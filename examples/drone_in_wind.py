"""Train a drone to hover in wind, and see how much wind it bears.

python examples/drone_in_wind.py

Every episode has a wind and a weight of its own, of which the policy is told nothing. Then it is judged in winds from
the front or from behind, by how many episodes are ever 5 cm off the goal once 5 s have passed.
"""

import argparse
from typing import Any

import pgrobot

VARIATION: dict[str, Any] = {
    "wind": {"field": "opt.wind", "add": [-1.5, 1.5], "columns": [0, 1]},  # m/s, along and across
    "mass": {"scale": [0.9, 1.1], "per": "model"},
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--episodes", type=int, default=100)
    asked = parser.parse_args()
    result = pgrobot.train(
        experiment="drone_hover",  # which measures the constraint off_goal, and does not price it
        algorithm={"policy_solver": {"minibatch": 256}},
        variation=VARIATION,
        total_steps=asked.steps,
        quiet=True,
    )
    told = pgrobot.evaluate(
        result,
        episodes=asked.episodes,
        variation=False,
        sweep=["variation.wind=-1.5:1.5:5"],
    )
    for cell in told["sweep"]["cells"]:
        astray = cell["costs"]["off_goal"]["mean"]
        print(f"wind {cell['wind']:+.2f} m/s: astray in {astray:.0%} of the episodes")
