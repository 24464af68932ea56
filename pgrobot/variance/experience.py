"""Independent rollouts of a frozen policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from pgrobot.collectors import SimulationCollector
from pgrobot.constraints import Constraint, CostColumns
from pgrobot.errors import FailureError
from pgrobot.guard import check_rollout
from pgrobot.policies import Policy
from pgrobot.randomness import stream
from pgrobot.types import Environment, Rollout

LEARNER = "frozen"


@dataclass(frozen=True, slots=True)
class Experience:
    """How rollouts are collected.

    Attributes:
        rollouts: ``K``, how many.
        horizon: ``T``, steps of each environment in a rollout.
        warmup: steps that pass before a rollout, at most; how many is drawn for each.
        seed: of the action noise and the warm-ups.
    """

    rollouts: int
    horizon: int
    warmup: int
    seed: int


def collect(
    environment: Environment,
    policy: Policy,
    constraints: Sequence[Constraint],
    asked: Experience,
    progress: Callable[[int], None],
) -> list[Rollout]:
    """Collect ``K`` rollouts that share nothing: each begins with a reset of every environment.

    A run meets episodes at every age. So here each rollout is the ``j``-th after its reset, as if training had begun
    there, and the ones before it are thrown away; ``j`` is uniform over what fits into the warm-up.

    Args:
        environment: of its own.
        policy: read, never moved.
        constraints: the cost columns.
        asked: how many, how long.
        progress: told the number of rollouts that are done.

    Raises:
        FailureError: a simulation broke.
    """
    noise = stream(asked.seed, "variance/action_noise")
    passing = torch.randint(
        asked.warmup // asked.horizon + 1, (asked.rollouts,), generator=stream(asked.seed, "variance/warmup")
    )
    rollouts = []
    for done, skipped in enumerate(passing.tolist()):
        progress(done)
        costs = CostColumns(constraints, environment.spec.num_envs)
        collector = SimulationCollector(environment, policy, costs, asked.horizon, noise, LEARNER)
        for _ in range(skipped):
            collector.collect()
        rollout = collector.collect()[LEARNER]
        check_rollout(rollout)
        if collector.failures:
            raise FailureError(f"a simulation broke, so nothing was measured: {collector.failures[0]}")
        rollouts.append(rollout)
    return rollouts
