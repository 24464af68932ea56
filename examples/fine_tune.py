"""Teach a hopper to hop, and then one that weighs half as much again, from there and from scratch.

python examples/fine_tune.py

The heavy one begins as the light one's best policy. Its critic learns alone for some iterations, its exploration is
widened again, and for a while it is kept near what it could do.
"""

import argparse
from typing import Any

import pgrobot

HEAVY: dict[str, Any] = {"variation": {"mass": {"scale": [1.5, 1.5]}}}
NEAR: dict[str, Any] = {
    "+algorithm.objective.prior": {"_target_": "pgrobot.objectives.KLToPrior", "weight": 0.1, "updates": 50}
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300_000)
    hopper: dict[str, Any] = {
        "task": "hopper", "constraint": "none", "total_steps": parser.parse_args().steps, "quiet": True,
    }  # fmt: skip
    light = pgrobot.train(**hopper)
    known = {"run": light.path, "critic_warmup": 5, "log_std": -1.0}
    beginnings: dict[str, dict[str, Any]] = {
        "from scratch": {},
        "as the light one": {"initialise": known, **NEAR},
    }
    print(f"the light one: {light.evaluation['return']['mean']:.0f}")
    for name, beginning in beginnings.items():
        result = pgrobot.train(**hopper, **HEAVY, **beginning)
        print(f"the heavy one, {name}: {result.evaluation['return']['mean']:.0f}")
