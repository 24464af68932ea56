"""Compare two runs: where their configs differ, and what their policies do on the same fresh episodes.

python examples/compare_two_runs.py RUN RUN
"""

import argparse
import math
from pathlib import Path

import yaml

import pgrobot


def leaves(node, key=""):
    """Every value of a config by its dotted key."""
    if not isinstance(node, dict):
        return {key: node}
    return {
        k: v for name, child in node.items() for k, v in leaves(child, f"{key}.{name}".strip(".")).items()
    }


def compare(one, other, episodes):
    """Print the differences of two run directories."""
    configs = [leaves(yaml.safe_load((Path(run) / "config.yaml").read_text())) for run in (one, other)]
    for key in sorted(configs[0].keys() | configs[1].keys()):
        values = [config.get(key, "–") for config in configs]
        if values[0] != values[1]:
            print(f"{key:<50} {values[0]!s:<20} {values[1]}")
    judged = [pgrobot.evaluate(run, episodes=episodes, seed=12345) for run in (one, other)]
    means = [told["return"]["mean"] for told in judged]
    halves = [(told["return"]["ci95"][1] - told["return"]["ci95"][0]) / 2 for told in judged]
    print(f"{'return':<50} {means[0]:<20.1f} {means[1]:.1f}")
    print(
        f"difference {means[1] - means[0]:.1f} ± {math.hypot(*halves):.1f}, about 95 %, of these two policies;"
    )
    print(
        "whether their algorithms differ, only several seeds of each can tell: pgrobot train -m 'seed=range(5)'"
    )
    for name in judged[0]["costs"].keys() & judged[1]["costs"].keys():
        costs = [told["costs"][name] for told in judged]
        cells = [f"{cost['mean']:.3g} {cost['verdict']}" for cost in costs]
        print(f"{name + ' per ' + costs[0]['unit']:<50} {cells[0]:<20} {cells[1]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "runs", nargs="*", help="two run directories; without them two short runs are trained"
    )
    parser.add_argument("--steps", type=int, default=100_000, help="of each of those")
    parser.add_argument("--episodes", type=int, default=100)
    asked = parser.parse_args()
    runs = asked.runs or [
        pgrobot.train(algorithm=algorithm, total_steps=asked.steps, quiet=True).path
        for algorithm in ("ppo", "trpo")
    ]
    compare(runs[0], runs[1], asked.episodes)
