"""Roll a ball through a maze on two levels, and take the low one along to another maze.

python examples/hierarchy.py

The high level sees all that is observed, and draws a goal of two numbers every quarter of a second; the low level sees
its speed and that goal. What it has learnt in the U does not depend on the walls: in the next maze it is frozen, and
the high level alone learns.
"""

import argparse
from typing import Any

import pgrobot

TWO_LEVELS: dict[str, Any] = {
    "policy": "hierarchical",
    "policy.every": 5,
    "policy.goal.size": 2,
    "policy.groups": ["policy/qvel/x", "policy/qvel/y"],
    "policy.high.groups": ["policy"],
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300_000)
    steps = parser.parse_args().steps
    maze: dict[str, Any] = {
        "task": "point_maze", "task.reward": "dense", "task.frame_skip": 5, "total_steps": steps, "quiet": True,
    }  # fmt: skip
    first = pgrobot.train(**maze, **TWO_LEVELS)
    print(f"both levels, in the U: {first.evaluation['return']['mean']:.1f}")
    known: dict[str, Any] = {"policy.low.run": first.path, "policy.low.frozen": True}
    maze["task.maze"] = "medium"
    lows: dict[str, dict[str, Any]] = {"from the U": known, "of its own": {}}
    for name, low in lows.items():
        result = pgrobot.train(**maze, **TWO_LEVELS, **low)
        print(f"in the next maze, with a low level {name}: {result.evaluation['return']['mean']:.1f}")
    policy = pgrobot.load(result)
    print(f"what it remembers between steps: {policy.policy.carry_size} numbers, of which two are its goal")
