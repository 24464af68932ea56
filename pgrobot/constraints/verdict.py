"""Whether a policy keeps to its budget, judged from episodes with stated confidence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pgrobot.constraints.bounds import BOUNDS, Interval, clopper_pearson, ratio
from pgrobot.constraints.budgets import Constraint
from pgrobot.errors import PgrobotError, nearest

MOST_EPISODES = 10**9  # a decision that needs more never comes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy spends of a budget, and whether that is within it.

    ``satisfied`` if the upper bound lies within the budget, ``violated`` if the lower bound lies above it, else
    ``undecided``; each is wrong with probability of at most ``1 − confidence``. Where a simulation broke there is no
    upper bound: what its episode would have cost is not known.
    """

    mean: float  # over the episodes, in the budget's unit
    lower: float  # one-sided bound on the policy's own mean
    upper: float
    upper95: float  # the upper bound at 95 %, whatever the confidence
    budget: float
    unit: str
    verdict: str
    confidence: float
    episodes: int
    episodes_needed: float  # for a decision, if mean and spread stay as they are; infinite if none would come
    unseen: float  # at this confidence, at most this share of episodes costs more than the worst one seen

    @property
    def satisfied(self) -> bool:
        return self.verdict == "satisfied"


def judge(
    constraint: Constraint,
    cost: np.ndarray,
    discounted: np.ndarray,
    length: np.ndarray,
    broken: int,
    confidence: float,
    bound: str,
) -> Verdict:
    """Judge one budget.

    A ``probability`` is bounded by Clopper and Pearson, whatever ``bound``. Episodes that all cost the same bound a
    mean by themselves, without width; how much that leaves open is what ``unseen`` says.

    See docs/derivations.md#verdicts.

    Args:
        constraint: the budget.
        cost: sums over whole episodes ``[E]``.
        discounted: the same, discounted ``[E]``.
        length: steps of the episodes ``[E]``.
        broken: how many simulations broke meanwhile, cutting their episode short.
        confidence: of each of the two bounds, inside (0, 1).
        bound: ``student-t`` or ``bootstrap``.

    Raises:
        PgrobotError: no episodes, a confidence out of range, an unknown bound.
    """
    if bound not in BOUNDS:
        raise PgrobotError(f"evaluation.bound={bound} is unknown: {nearest(bound, BOUNDS)}")
    if not 0.0 < confidence < 1.0:
        raise PgrobotError(f"evaluation.confidence={confidence} has to lie between 0 and 1")
    if not len(cost):
        raise PgrobotError(f"constraint {constraint.name!r} cannot be judged without episodes")
    one = np.ones(len(cost))
    amount, weight = {
        "episode": (cost, one),
        "discounted": (discounted, one),
        "step": (cost, length.astype(np.float64)),
        "probability": ((cost > constraint.limit).astype(np.float64), one),
    }[constraint.unit]

    def interval(level: float) -> Interval:
        if constraint.unit == "probability":
            low, high = clopper_pearson(amount.sum(), len(amount), level)
        else:
            low, high = BOUNDS[bound](amount, weight, level)
        return low, math.inf if broken else high

    lower, upper = interval(confidence)
    mean, error = ratio(amount, weight)
    verdict = _verdict(lower, upper, constraint.budget)
    needed = float(len(cost))
    if verdict == "undecided" and broken:
        needed = math.inf
    elif verdict == "undecided" and constraint.unit == "probability":
        needed = _trials_needed(mean, constraint.budget, confidence)
    elif verdict == "undecided":
        needed = _episodes_needed(abs(mean - constraint.budget), error * math.sqrt(len(cost)), confidence)
    return Verdict(
        mean=mean,
        lower=lower,
        upper=upper,
        upper95=interval(0.95)[1],
        budget=constraint.budget,
        unit=constraint.unit,
        verdict=verdict,
        confidence=confidence,
        episodes=len(cost),
        episodes_needed=needed,
        unseen=1.0 - (1.0 - confidence) ** (1.0 / len(cost)),
    )


def _verdict(lower: float, upper: float, budget: float) -> str:
    if upper <= budget:
        return "satisfied"
    return "violated" if lower > budget else "undecided"


def _episodes_needed(distance: float, deviation: float, confidence: float) -> float:
    """Fewest episodes whose t bound is no wider than ``distance``."""
    if not 0.0 < distance < math.inf or math.isinf(deviation):
        return math.inf
    from scipy import stats

    normal = (float(stats.norm.ppf(confidence)) * deviation / distance) ** 2
    if normal > MOST_EPISODES:
        return math.inf
    count = max(2, math.ceil(normal))
    while stats.t.ppf(confidence, count - 1) * deviation / math.sqrt(count) > distance:
        count += 1
    return float(count)


def _trials_needed(share: float, budget: float, confidence: float) -> float:
    """Fewest trials that decide if the share of hits stays ``share``."""

    def decided(count: int) -> bool:
        return _verdict(*clopper_pearson(share * count, count, confidence), budget) != "undecided"

    high = 1
    while not decided(high):
        high *= 2
        if high > MOST_EPISODES:
            return math.inf
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return float(high)
