"""How well policies of runs do what they are told: means of what their robot measures, and how often it falls.

    python scripts/tracking.py RUN [RUN …]     # of task=quadruped_velocity, m/s and rad/s

The episodes are whole, with seeds of their own; the means are over all their steps.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import pgrobot
from pgrobot.assembly import build_environment
from pgrobot.episodes import Episodes, evaluate
from pgrobot.errors import PgrobotError
from pgrobot.past import saved_config
from pgrobot.types import MEASURED, Observation, Step

SIDE_BY_SIDE = 100  # episodes at most


class Measured:
    """Sums of what a robot measures, over the steps of the episodes that count, and of episodes that end for good."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.steps = self.ends = 0

    def __call__(self, step: Step, counted: np.ndarray, taken: np.ndarray) -> None:
        """One step of all environments, of which some count; ``pgrobot.episodes.Watch``."""
        self.steps += int(counted.sum())
        self.ends += int((step.terminated & counted).sum())
        for name, value in step.telemetry.items():
            if name.startswith(MEASURED):
                key = name.removeprefix(MEASURED)
                self.sums[key] = self.sums.get(key, 0.0) + float(value[counted].sum())

    @property
    def means(self) -> Mapping[str, float]:
        """Means over the steps by name."""
        return {name: total / self.steps for name, total in self.sums.items()}


def tracked(
    run: Path, checkpoint: str, episodes: int, seed: int, *, drawn: bool
) -> tuple[Measured, Episodes]:
    """Let the policy of a run act in whole episodes.

    Raises:
        PgrobotError: there is no such run or checkpoint, or its robot measures nothing.
    """
    policy, measured = pgrobot.load(run, checkpoint, seed=seed), Measured()
    environment = build_environment(saved_config(run), min(episodes, SIDE_BY_SIDE), seed, 0)

    def act(obs: Observation, start: np.ndarray) -> np.ndarray:
        policy.reset(start)
        read = {name: obs[name] for name in policy.groups}
        action: np.ndarray = policy.act(
            read if len(read) > 1 else next(iter(read.values())), deterministic=not drawn
        )
        return action

    found = evaluate(act, environment, episodes, 0.99, [measured])
    if not measured.sums:
        raise PgrobotError(
            f"{environment.spec.name} measures nothing beside its reward: there is nothing to tell"
        )
    return measured, found


def main() -> None:
    """Measure what is asked for and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--checkpoint", default="best")
    parser.add_argument("--episodes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20_000)
    parser.add_argument("--drawn", action="store_true", help="actions are drawn, as in training")
    given = parser.parse_args()
    told = [
        tracked(run, given.checkpoint, given.episodes, given.seed, drawn=given.drawn) for run in given.runs
    ]
    names = list(dict.fromkeys(name for measured, _ in told for name in measured.sums))
    table = Table("", "episodes", *names, "ended early", "return")
    for run, (measured, episodes) in zip(given.runs, told, strict=True):
        values = [f"{measured.means[name]:.3f}" if name in measured.means else "" for name in names]
        ends = f"{measured.ends / given.episodes:.3f}"
        table.add_row(run.name, f"{given.episodes}", *values, ends, f"{episodes.returns.mean():.0f}")
    Console().print(table)


if __name__ == "__main__":
    try:
        main()
    except PgrobotError as error:
        sys.exit(f"tracking.py: {error}")
