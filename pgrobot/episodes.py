"""Whole episodes of a policy, and what they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pgrobot.constraints.bounds import student_t
from pgrobot.constraints.budgets import Constraint
from pgrobot.constraints.caution import interval_caution
from pgrobot.constraints.sample import Sample, Spending
from pgrobot.constraints.verdict import Conclusion, Verdict, conclude, judge
from pgrobot.errors import PgrobotError
from pgrobot.simulation.contract import check_observation, check_step
from pgrobot.types import Environment, Observation, Step

# observation groups [N, D] and which of them an episode begins with [N] -> actions [N, A] in action-space units
Act = Callable[[Observation, np.ndarray], np.ndarray]
# a step, which environments count [N], and how many steps the episodes of those had before it [M]
Watch = Callable[[Step, np.ndarray, np.ndarray], None]

SHORT = 0.5  # of the time limit: a policy that lives less may keep a budget by ending its episodes


@dataclass(frozen=True, slots=True)
class Episodes:
    """``E`` whole episodes."""

    returns: np.ndarray  # [E]
    lengths: np.ndarray  # [E], steps
    costs: np.ndarray  # sums [E, K]
    discounted: np.ndarray  # sums, discounted from the episode's first step [E, K]
    failures: tuple[str, ...]  # simulations that broke, which cut their episode short
    max_episode_steps: int  # how long an episode can be
    least: np.ndarray  # the least that a step did cost [K]
    most: np.ndarray  # the most that a step did cost [K]
    highest: np.ndarray  # the most that a step can cost [K]; infinite where that is not known
    gamma: float  # the discount
    can_fall: bool  # an episode may end in a fall


def evaluate(
    act: Act, environment: Environment, episodes: int, gamma: float, watch: Sequence[Watch] = ()
) -> Episodes:
    """Run exactly ``episodes`` whole episodes.

    How many each environment contributes is fixed beforehand, so that short episodes are not preferred to long
    ones; the first environments give one more where the number does not divide. Results are in the order of the
    environments, then of time.

    Args:
        act: the policy, frozen.
        environment: of its own, not the one trained in.
        episodes: how many, at least 1.
        gamma: the discount of ``Episodes.discounted``.
        watch: told every step of the episodes.

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
    least, most = np.full(len(spec.costs), math.inf), np.full(len(spec.costs), -math.inf)
    highest = np.array([spec.highest_cost[name] for name in spec.costs])
    failures: list[str] = []
    obs, start = environment.reset(), np.ones(spec.num_envs, dtype=bool)
    check_observation(spec, "the first observation", obs)
    for t in range(int(quota.max()) * spec.max_episode_steps):
        step = environment.step(act(obs, start))
        if t == 0:
            check_step(spec, step)
        counted = row < last
        for watcher in watch:
            watcher(step, counted, lengths[row[counted]])
        rows, cost = row[counted], step.cost[counted]
        costs[rows] += cost
        least, most = np.minimum(least, cost.min(axis=0)), np.maximum(most, cost.max(axis=0))
        discounted[rows] += cost * (gamma ** lengths[rows])[:, None]
        returns[rows] += step.reward[counted]
        lengths[rows] += 1
        failures += [sentence for env, sentence in step.failures.items() if counted[env]]
        start = step.terminated | step.truncated
        row += counted & start
        if (row == last).all():
            return Episodes(
                returns,
                lengths,
                costs,
                discounted,
                tuple(failures),
                spec.max_episode_steps,
                least,
                most,
                highest,
                gamma,
                spec.can_fall,
            )
        obs = step.obs
    raise PgrobotError(f"{spec.name} has episodes longer than its limit of {spec.max_episode_steps} steps")


def verdicts(
    episodes: Episodes,
    constraints: Sequence[Constraint],
    confidence: float,
    bound: str,
    looks: Sequence[int] = (),
) -> dict[str, Verdict]:
    """Judge every budget, by name; arguments and errors as of ``judge``."""
    return {
        constraint.name: judge(constraint, _spending(episodes, k), confidence, bound, looks)
        for k, constraint in enumerate(constraints)
    }


def conclusions(
    episodes: Episodes,
    constraints: Sequence[Constraint],
    confidence: float,
    bound: str,
    looks: Sequence[int],
) -> dict[str, Conclusion]:
    """The bounds of every budget and what they decide, by name; arguments and errors as of ``judge``."""
    return {
        constraint.name: conclude(constraint, _spending(episodes, k), confidence, bound, looks)
        for k, constraint in enumerate(constraints)
    }


def _spending(episodes: Episodes, k: int) -> Spending:
    return Spending(
        cost=episodes.costs[:, k],
        discounted=episodes.discounted[:, k],
        length=episodes.lengths,
        broken=len(episodes.failures),
        least=float(episodes.least[k]),
        most=float(episodes.most[k]),
        highest=float(episodes.highest[k]),
        max_episode_steps=episodes.max_episode_steps,
        gamma=episodes.gamma,
    )


def summary(
    episodes: Episodes, constraints: Sequence[Constraint], confidence: float, bound: str
) -> dict[str, Any]:
    """State the evaluation as it is written to ``result.json``.

    ``return`` comes with its two-sided 95 % interval (Student-t), ``ci95: [low, high]``; ``episode_length`` in steps,
    beside the ``limit`` that no episode exceeds; ``costs`` are the verdicts by name; ``failures`` is the number of
    simulations that broke; ``warnings`` are sentences that the figures have to be read with.
    """
    judged = verdicts(episodes, constraints, confidence, bound)
    returns = Sample(episodes.returns, np.ones(len(episodes.returns)), math.inf, 1.0)
    length = episodes.lengths
    unfallen = episodes.can_fall and int(length.min()) == episodes.max_episode_steps
    warnings = (
        *(sentence for verdict in judged.values() for sentence in verdict.warnings),
        interval_caution(returns, 0.95, unfallen),
        short_lives(judged, float(length.mean()), episodes.max_episode_steps),
    )
    return {
        "return": {
            "mean": float(episodes.returns.mean()),
            "ci95": list(student_t(returns, 0.975)),
            "episodes": len(episodes.returns),
        },
        "episode_length": {
            "mean": float(length.mean()),
            "min": int(length.min()),
            "limit": episodes.max_episode_steps,
        },
        "costs": {name: asdict(v) | {"warnings": list(v.warnings)} for name, v in judged.items()},
        "failures": len(episodes.failures),
        "warnings": [sentence for sentence in warnings if sentence],
    }


def short_lives(judged: Mapping[str, Verdict], length: float, limit: int) -> str:
    """What to say of episodes that end early, which keeps a budget that adds up over them; mostly nothing.

    Args:
        judged: the verdicts by name.
        length: mean length of the episodes, in steps.
        limit: how long they can be.
    """
    names = [
        name
        for name, verdict in judged.items()
        if verdict.unit in ("episode", "discounted")
        or (verdict.unit == "probability" and verdict.verdict != "violated")
    ]
    if not names or length >= SHORT * limit:
        return ""
    return (
        f"{', '.join(names)}: episodes end after {length:,.0f} of {limit:,} steps, and a budget per episode is kept by "
        f"ending it early: limit that too (the constraint `fall`), or the cost per step "
        f"(constraint.{names[0]}.unit=step)"
    )
