"""Sweep a budget over seeds with Hydra, and read the table that the sweep leaves.

python examples/sweep.py [OVERRIDE …]

It types what you would type, and then reads the files:

pgrobot train -m task=hopper 'constraint=[speed]' constraint.speed.budget=0.01,0.05 'seed=range(2)'
"""

import argparse
import csv
from pathlib import Path

from pgrobot.cli import main as pgrobot_command


def told(directory):
    """Print a line per row of the table: the runs that differ in nothing but their seed."""
    with (directory / "summary.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            means = f"return {float(row['return/mean']):.0f}, cost {float(row['cost/speed/mean']):.4f}"
            print(f"budget {row['constraint.speed.budget']}: {means}, {row['cost/speed/verdict']}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("overrides", nargs="*", help="of every run")
    parser.add_argument("--steps", type=int, default=300_000)
    parser.add_argument("--directory", type=Path, default=Path("sweep_of_budgets"))
    asked = parser.parse_args()
    sweep = ["task=hopper", "constraint=[speed]", "constraint.speed.budget=0.01,0.05", "seed=range(2)"]
    more = [f"total_steps={asked.steps}", f"hydra.sweep.dir={asked.directory}", *asked.overrides]
    if pgrobot_command(["train", "-m", *sweep, *more]):  # a job that is there already is not trained again
        raise SystemExit("a run failed: the table says which")
    told(asked.directory)
