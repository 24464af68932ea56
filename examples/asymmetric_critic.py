"""Let the critic see what the policy cannot: where the foot is and how hard the ground pushes it.

python examples/asymmetric_critic.py

A critic is thrown away after training, so it may read what no robot measures: an asymmetric, or privileged, critic. The
policy observes what it did before, and acts without any of it.
"""

import argparse
from typing import Any

import numpy as np

import pgrobot


def contact(simulation, body):
    """Position (m) of a body, and torque (N·m) and force (N) of the contacts on it, [N, 9]."""
    where = simulation.body(body)
    return np.concatenate([simulation.field(name)[:, where] for name in ("xpos", "cfrc_ext")], axis=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300_000)
    steps = parser.parse_args().steps
    privileged: dict[str, Any] = {
        "modules": ["asymmetric_critic"],  # this file
        "+task.observations.foot._target_": "asymmetric_critic.contact",
        "+task.observations.foot.body": "foot",
        "+task.observations.foot.group": "privileged",
        "critic.groups": ["policy", "privileged"],
    }
    for name, settings in {"symmetric": {}, "asymmetric": privileged}.items():
        result = pgrobot.train(constraint="none", total_steps=steps, seed=1, quiet=True, **settings)
        explained = result.metrics["critic/explained_variance/reward"]
        print(f"{name}: return {result.evaluation['return']['mean']:.0f}, the value explains {explained:.0%}")
