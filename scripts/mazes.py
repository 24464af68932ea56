"""How often policies reach their goals in mazes, and how fast beside who knows the way.

    python scripts/mazes.py                    # the oracle alone, in every maze that is shipped
    python scripts/mazes.py RUN [RUN …]        # policies of runs, and the oracle from the same starts to the same goals

A run's policy plays ``--episodes`` episodes of its own task, those of ``pgrobot play``. Its steps are counted to the
first moment at which the goal is reached, whatever the reward, and compared in the episodes in which it is.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from pgrobot.configure import compose, validated
from pgrobot.envs.maze_map import SHIPPED
from pgrobot.envs.maze_oracle import oracle_steps
from pgrobot.envs.point_maze import PointMaze
from pgrobot.errors import PgrobotError
from pgrobot.film import Shot
from pgrobot.playing import run_shot
from pgrobot.run.evaluation import DETERMINISTIC, STOCHASTIC
from pgrobot.run.filming import find_policy
from pgrobot.simulation import BatchEnvironment
from pgrobot.simulation.wrappers import innermost
from pgrobot.targets import construct

COLUMNS = ("goals", "reached", "95 %", "steps to them", "the oracle's", "ratio")


def journeys(shot: Shot, episodes: int) -> tuple[PointMaze, np.ndarray, np.ndarray]:
    """Play whole episodes.

    Returns:
        The task; where ball and goal were at first, m ``[E, 4]``; and the steps to each goal, infinite where it was not
        reached, ``[E]``.

    Raises:
        PgrobotError: it acts in no maze.
    """
    inner = innermost(shot.environment)
    if not (isinstance(inner, BatchEnvironment) and isinstance(inner.robot, PointMaze)):
        raise PgrobotError(f"{shot.title} is no maze: scripts/mazes.py measures runs of task=point_maze")
    task = inner.robot
    least = 1.0 if task.reward == "sparse" else math.exp(-task.distance)
    starts, steps = np.zeros((episodes, 4)), np.full(episodes, np.inf)
    obs = shot.environment.reset()
    for episode in range(episodes):
        starts[episode] = inner.simulation.qpos[0]
        begins, taken, over = np.ones(1, dtype=bool), 0, False
        while not over:
            step = shot.environment.step(shot.act(obs, begins))
            obs, taken = step.obs, taken + 1
            if step.terms[0, 0] >= least:
                steps[episode] = min(steps[episode], taken)
            begins = step.terminated | step.truncated
            over = bool(begins[0])
    return task, starts, steps


def row(steps: np.ndarray, oracle: np.ndarray) -> Mapping[str, str]:
    """What is said of journeys ``[E]`` beside the oracle's ``[E]``, which reaches every goal; Wilson's interval."""
    reached = np.isfinite(steps)
    count, share, z2 = len(steps), float(reached.mean()), 1.96**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = math.sqrt(z2 * (share * (1 - share) + z2 / (4 * count)) / count) / (1 + z2 / count)
    mine, its = (float(one[reached].mean()) if reached.any() else math.nan for one in (steps, oracle))
    interval = f"{middle - half:.3f} to {middle + half:.3f}"
    values = (f"{count}", f"{share:.3f}", interval, f"{mine:.1f}", f"{its:.1f}", f"{mine / its:.2f}")
    return dict(zip(COLUMNS, values, strict=True))


def drawn(task: PointMaze, episodes: int) -> np.ndarray:
    """Starts and goals as the task draws them, ``[E, 4]``."""
    environment = task.make(episodes, {}, 0, 1)
    environment.reset()
    return environment.simulation.qpos.copy()


def main() -> None:
    """Measure what is asked for and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--checkpoint", default="best")
    parser.add_argument("--mode", choices=(DETERMINISTIC, STOCHASTIC), default=STOCHASTIC)
    parser.add_argument(
        "--seed", type=int, default=-1, help="of the episodes; -1: that of the run's evaluations"
    )
    given = parser.parse_args()
    if given.episodes < 1:
        parser.error(f"--episodes {given.episodes} has to be at least 1")
    table = Table("", *COLUMNS)
    if not given.runs:
        one: PointMaze = construct(validated(compose(["task=point_maze"])), "task")
        for maze in SHIPPED:
            task = dataclasses.replace(one, maze=maze, max_episode_steps=0)
            steps = oracle_steps(task, drawn(task, given.episodes))
            table.add_row(maze, *row(steps, steps).values())
    for run in given.runs:
        with run_shot(run, find_policy(run, given.checkpoint), given.mode, given.seed, ()) as shot:
            task, starts, steps = journeys(shot, given.episodes)
        table.add_row(run.name, *row(steps, oracle_steps(task, starts)).values())
    Console().print(table)


if __name__ == "__main__":
    try:
        main()
    except PgrobotError as error:
        sys.exit(f"mazes.py: {error}")
