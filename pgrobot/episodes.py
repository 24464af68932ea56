"""Whole episodes of a policy, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pgrobot.constraints.bounds import student_t
from pgrobot.constraints.budgets import Constraint
from pgrobot.constraints.verdict import Verdict, judge
from pgrobot.errors import PgrobotError
from pgrobot.types import Environment, Observation

# observation groups [N, D] and which of them an episode begins with [N] -> actions [N, A] in action-space units
Act = Callable[[Observation, np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class Episodes:
    """``E`` whole episodes."""

    returns: np.ndarray  # [E]
    lengths: np.ndarray  # [E], steps
    costs: np.ndarray  # sums [E, K]
    discounted: np.ndarray  # sums, discounted from the episode's first step [E, K]
    failures: tuple[str, ...]  # simulations that broke, which cut their episode short


def evaluate(act: Act, environment: Environment, episodes: int, gamma: float) -> Episodes:
    """Run exactly ``episodes`` whole episodes.

    How many each environment contributes is fixed beforehand, so that short episodes are not preferred to long
    ones; the first environments give one more where the number does not divide. Results are in the order of the
    environments, then of time.

    Args:
        act: the policy, frozen.
        environment: of its own, not the one trained in.
        episodes: how many, at least 1.
        gamma: the discount of ``Episodes.discounted``.

    Raises:
        PgrobotError: fewer than one episode, or episodes that do not end within the environment's own limit.
    """
    if episodes < 1:
        raise PgrobotError(f"evaluation.episodes={episodes} has to be at least 1")
    spec = environment.spec
    envs = np.arange(spec.num_envs)
    quota = episodes // spec.num_envs + (envs < episodes % spec.num_envs)
    row = np.cumsum(quota) - quota  # where each environment writes its running episode
    last = row + quota
    costs = np.zeros((episodes, len(spec.costs)))
    discounted, returns = np.zeros_like(costs), np.zeros(episodes)
    lengths = np.zeros(episodes, dtype=np.int64)
    failures: list[str] = []
    obs, start = environment.reset(), np.ones(spec.num_envs, dtype=bool)
    for _ in range(int(quota.max()) * spec.max_episode_steps):
        step = environment.step(act(obs, start))
        counted = row < last
        rows = row[counted]
        costs[rows] += step.cost[counted]
        discounted[rows] += step.cost[counted] * (gamma ** lengths[rows])[:, None]
        returns[rows] += step.reward[counted]
        lengths[rows] += 1
        failures += [sentence for env, sentence in step.failures.items() if counted[env]]
        start = step.terminated | step.truncated
        row += counted & start
        if (row == last).all():
            return Episodes(returns, lengths, costs, discounted, tuple(failures))
        obs = step.obs
    raise PgrobotError(f"{spec.name} has episodes longer than its limit of {spec.max_episode_steps} steps")


def verdicts(
    episodes: Episodes, constraints: Sequence[Constraint], confidence: float, bound: str
) -> dict[str, Verdict]:
    """Judge every budget, by name; arguments and errors as of ``judge``."""
    return {
        constraint.name: judge(
            constraint,
            episodes.costs[:, k],
            episodes.discounted[:, k],
            episodes.lengths,
            len(episodes.failures),
            confidence,
            bound,
        )
        for k, constraint in enumerate(constraints)
    }


def summary(
    episodes: Episodes, constraints: Sequence[Constraint], confidence: float, bound: str
) -> dict[str, Any]:
    """State the evaluation as it is written to ``result.json``: ``return``, ``costs`` and ``failures``.

    The return comes with its two-sided 95 % interval (Student-t), ``[low, high]``; ``failures`` is the number of
    simulations that broke.
    """
    one = np.ones(len(episodes.returns))
    return {
        "return": {
            "mean": float(episodes.returns.mean()),
            "ci95": list(student_t(episodes.returns, one, 0.975)),
            "episodes": len(episodes.returns),
        },
        "costs": {name: asdict(v) for name, v in verdicts(episodes, constraints, confidence, bound).items()},
        "failures": len(episodes.failures),
    }
