"""Hide a cheetah's state in many numbers, and teach an encoder what of them is of use.

python examples/representation.py

A random network makes 512 numbers of the state, and 100 of noise stand beside them. The policy's encoder alone has only
the reward to go by; two auxiliary terms teach it what actions lead to, and what was done.
"""

import argparse
from typing import Any

import numpy as np

import pgrobot

HIDDEN = {"task": "halfcheetah", "constraint": "none", "wrapper": ["lifted"], "policy/body": "encoder"}
WAYS: dict[str, dict[str, Any]] = {
    "untaught": {},
    "taught": {"+algorithm/auxiliary": ["forward_dynamics", "inverse_dynamics"]},
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    steps = parser.parse_args().steps
    for name, settings in WAYS.items():
        result = pgrobot.train(total_steps=steps, quiet=True, **{**HIDDEN, **settings})
        print(f"{name}: return {result.evaluation['return']['mean']:.0f}")
    policy = pgrobot.load(result)  # the networks of the terms are not in it
    width = policy.spec.observation["policy"].width
    print(f"it reads {width} numbers, and says {policy.act(np.zeros(width)).round(2)}")
