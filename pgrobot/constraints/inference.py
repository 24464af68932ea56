"""The ways to bound what a policy spends: each with what it takes for granted and the episodes it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import numpy as np

from pgrobot.constraints.bounds import (
    Interval,
    beats,
    betting,
    bootstrap,
    clopper_pearson,
    mirrored,
    student_t,
)
from pgrobot.constraints.budgets import Constraint
from pgrobot.constraints.sample import Sample
from pgrobot.errors import PgrobotError, nearest

MOST_EPISODES = 10**9  # a decision that needs more never comes
MOST_BETS = 10**6  # the same where every single one is computed


@dataclass(frozen=True, slots=True)
class Inference:
    """One way to bound a ratio of means.

    Attributes:
        interval: lower and upper bound of a sample, each right with the given probability.
        needed: fewest episodes that would decide about a budget if episodes stay as those of the sample; infinite if
            none would. Takes the sample, the budget and the confidence.
        assumes: the end of the sentence "the bounds assume …".
        by_spread: it concludes from how much the episodes seen differ, so that it can fall short where they are few
            and skewed.
        by_range: it needs to know the most that a step can cost.
    """

    interval: Callable[[Sample, float], Interval]
    needed: Callable[[Sample, float, float], float]
    assumes: str
    by_spread: bool
    by_range: bool


def _t_needed(sample: Sample, budget: float, confidence: float) -> float:
    """Fewest episodes whose t bound is no wider than the distance of the ratio from the budget."""
    distance, deviation = abs(sample.mean - budget), sample.error * math.sqrt(len(sample.amount))
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


def _bets_needed(sample: Sample, budget: float, confidence: float) -> float:
    """Fewest episodes, to within one in a hundred, that decide if those of the sample come again in their order."""

    def decided(count: int) -> bool:
        amount, weight = np.resize(sample.amount, count), np.resize(sample.weight, count)
        more = Sample(amount, weight, sample.highest, sample.heaviest)
        return beats(mirrored(more), sample.highest - budget, confidence) or beats(more, budget, confidence)

    return _fewest(decided, MOST_BETS, 0.01)


def _trials_needed(sample: Sample, budget: float, confidence: float) -> float:
    """Fewest trials that decide if the share of hits stays."""

    def decided(count: int) -> bool:
        return decision(clopper_pearson(sample.mean * count, count, confidence), budget) != "undecided"

    return _fewest(decided, MOST_EPISODES, 0.0)


def _fewest(decided: Callable[[int], bool], most: int, precision: float) -> float:
    high = 1
    while not decided(high):
        high *= 2
        if high > most:
            return math.inf
    low = high // 2
    while high - low > max(1.0, precision * high):
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return float(high)


def _of_trials(sample: Sample, confidence: float) -> Interval:
    return clopper_pearson(sample.amount.sum(), len(sample.amount), confidence)


TRIALS = Inference(
    interval=_of_trials,
    needed=_trials_needed,
    assumes="nothing, where a budget limits a share of episodes",
    by_spread=False,
    by_range=False,
)
BOUNDS: Mapping[str, Inference] = MappingProxyType(
    {
        "student-t": Inference(
            interval=student_t,
            needed=_t_needed,
            assumes="that the mean of so many episodes varies as a normal distribution does (student-t)",
            by_spread=True,
            by_range=False,
        ),
        "bootstrap": Inference(
            interval=bootstrap,
            needed=_t_needed,
            assumes="that these episodes show how much episodes differ (bootstrap)",
            by_spread=True,
            by_range=False,
        ),
        "betting": Inference(
            interval=betting,
            needed=_bets_needed,
            assumes="nothing but the range of each cost (betting)",
            by_spread=False,
            by_range=True,
        ),
    }
)


def inference(constraint: Constraint, bound: str) -> Inference:
    """How a budget is judged: a ``probability`` by Clopper and Pearson, whatever ``bound``.

    Raises:
        PgrobotError: an unknown bound.
    """
    if bound not in BOUNDS:
        raise PgrobotError(f"evaluation.bound={bound} is unknown: {nearest(bound, BOUNDS)}")
    return TRIALS if constraint.unit == "probability" else BOUNDS[bound]


def sequential(chosen: Inference, looks: Sequence[int]) -> Inference:
    """The same for whoever looks after each of so many episodes, and stops when they like.

    The bounds of all looks hold together with the given probability: bets are made as if nobody looked, and other
    bounds share what they may miss among the looks (Bonferroni). One look is none in between.

    Args:
        chosen: how to bound after a number of episodes that was fixed.
        looks: after how many episodes, in order.
    """
    if len(looks) < 2:
        return chosen
    shared = partial(shared_level, parts=len(looks))
    if chosen.by_range:
        bets: Callable[[Sample, float], Interval] = partial(betting, plans=tuple(looks))
        return replace(chosen, interval=bets, needed=lambda s, b, c: chosen.needed(s, b, shared(c)))
    return replace(
        chosen,
        interval=lambda sample, confidence: chosen.interval(sample, shared(confidence)),
        needed=lambda sample, budget, confidence: chosen.needed(sample, budget, shared(confidence)),
    )


def shared_level(confidence: float, parts: int) -> float:
    """The confidence of each of so many bounds that hold together with ``confidence`` (Bonferroni)."""
    return 1.0 - (1.0 - confidence) / parts


def called(bound: str) -> str:
    """How to ask for a bound, in a run's settings and of ``pgrobot evaluate``."""
    return f"the bound {bound} (evaluation.bound={bound}, or --bound {bound} of pgrobot evaluate)"


def check_bound(constraints: Sequence[Constraint], highest: Mapping[str, float], bound: str) -> None:
    """Refuse a bound that needs to know more of a cost than it says.

    Args:
        constraints: the budgets.
        highest: the most that each one's cost can charge in a step, by name; infinite where it does not say.
        bound: how they are to be judged.

    Raises:
        PgrobotError: names the first such constraint.
    """
    for constraint in constraints:
        if inference(constraint, bound).by_range and math.isinf(highest[constraint.name]):
            raise PgrobotError(
                f"evaluation.bound={bound} needs the most that a step can cost, which constraint "
                f"{constraint.name!r} does not say: give its cost a `highest`, such as "
                f"constraint.{constraint.name}.cost.highest=1, or use {called('student-t')}"
            )


def decision(interval: Interval, budget: float) -> str:
    """What two bounds say of a budget: ``satisfied``, ``violated`` or ``undecided``."""
    lower, upper = interval
    if upper <= budget:
        return "satisfied"
    return "violated" if lower > budget else "undecided"
