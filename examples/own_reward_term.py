"""Add a reward term, an observation and a termination of your own to a robot: a cheetah that runs with less power.

python examples/own_reward_term.py --steps 300000
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import pgrobot

HERE = Path(__file__).stem  # the module by which a config names the functions below


def power(simulation, limit):
    """What the motors give or take beyond a limit (W), all of them together: [N]."""
    torque, velocity = simulation.field("qfrc_actuator"), simulation.qvel
    return np.maximum(np.abs(torque * velocity).sum(axis=1) - limit, 0.0)


def height(simulation, body):
    """How high a body is (m): [N, 1]."""
    return simulation.field("xpos")[:, simulation.body(body), 2:]


def on_its_back(simulation):
    """Whether it has turned over: [N] bool."""
    return np.cos(simulation.qpos[:, 2]) < -0.5


def told(iteration):
    """Print what the motors spend, now and then; returning True would stop."""
    if "evaluation/return/mean" in iteration.metrics:
        spent = -iteration.metrics["reward/power/mean"] / PRICE
        ended = iteration.metrics.get("termination/on_its_back", 0.0)
        print(f"{iteration.step:>8,} steps: {spent:5.1f} W beyond the limit, {ended:.0%} ended on their back")


PRICE = 0.002  # reward per W

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300_000)
    steps = parser.parse_args().steps
    added = {
        "rewards": {"power": {"_target_": f"{HERE}.power", "weight": -PRICE, "limit": 200.0}},
        "observations": {"height": {"_target_": f"{HERE}.height", "body": "torso"}},
        "terminations": {"on_its_back": {"_target_": f"{HERE}.on_its_back"}},
    }
    cheetah: Any = {f"+task.{kind}": parts for kind, parts in added.items()}
    result = pgrobot.train(
        task="halfcheetah", **cheetah, modules=[HERE], total_steps=steps, callback=told, quiet=True
    )
    print(f"return {result.evaluation['return']['mean']:.0f}, the power paid for; in {result.path}")
