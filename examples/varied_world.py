"""Train a hopper on robots of many weights, and see how heavy it may get.

python examples/varied_world.py

Every episode has a robot and a floor of its own. The critic is told what was drawn; the policy has to do without.
Then the policy is judged on robots of five weights, half to one and a half times its own.
"""

import argparse
from typing import Any

import pgrobot

VARIATION: dict[str, Any] = {
    "mass": {"scale": [0.6, 1.4]},  # of every body, with its inertia
    "floor": {"field": "geom_friction", "scale": [0.5, 1.5], "names": ["floor", "foot_geom"]},
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300_000)
    parser.add_argument("--episodes", type=int, default=30)
    asked = parser.parse_args()
    result = pgrobot.train(
        task="hopper",
        constraint="none",
        total_steps=asked.steps,
        quiet=True,
        variation=VARIATION,
        critic={"groups": ["policy", "privileged"]},
    )
    told = pgrobot.evaluate(
        result, episodes=asked.episodes, variation=False, sweep=["variation.mass=0.5:1.5:5"]
    )
    for cell in told["sweep"]["cells"]:
        print(f"mass × {cell['mass']:.2f}: return {cell['return']['mean']:.0f}")
