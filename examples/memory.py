"""Hide all velocities from a hopper, and let its policy make up for them.

python examples/memory.py

Without memory the policy does not know whether it rises or falls. Shown its last four observations it can tell; with a
memory of its own it learns what to keep. The policy that remembers then acts by itself, told only where episodes begin.
"""

import argparse
from typing import Any

import numpy as np

import pgrobot

WAYS: dict[str, dict[str, Any]] = {
    "memoryless": {"wrapper": ["mask"]},
    "history": {"wrapper": ["mask", "history"]},
    "remembering": {"wrapper": ["mask"], "policy": "recurrent", "critic": "recurrent"},
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300_000)
    steps = parser.parse_args().steps
    for name, settings in WAYS.items():
        result = pgrobot.train(task="hopper", constraint="none", total_steps=steps, quiet=True, **settings)
        print(f"{name}: return {result.evaluation['return']['mean']:.0f}")
    policy = pgrobot.load(result)
    measured = np.zeros(policy.spec.observation["policy"].width)  # positions, as a robot would tell them
    policy.reset()
    first, second = policy.act(measured), policy.act(measured)
    print(
        f"the same observation twice, and {abs(second - first).max():.4f} between the actions: it remembers"
    )
