"""Whether a policy keeps to its budget, judged from episodes with stated confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pgrobot.constraints.bounds import Interval, unseen
from pgrobot.constraints.budgets import Constraint
from pgrobot.constraints.caution import cautions
from pgrobot.constraints.inference import Inference, decision, inference, sequential, shared_level
from pgrobot.constraints.sample import ROUNDING, Sample, Spending
from pgrobot.errors import PgrobotError


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy spends of a budget, and whether that is within it.

    ``satisfied`` if the upper bound lies within the budget, ``violated`` if the lower bound lies above it, else
    ``undecided``; each is wrong with probability of at most ``1 − confidence`` where the bounds' assumption holds.
    Where a simulation broke there is no upper bound: what its episode would have cost is not known.
    """

    mean: float  # over the episodes, in the budget's unit
    lower: float  # one-sided bound on the policy's own mean
    upper: float
    upper95: float  # the upper bound at 95 %, whatever the confidence
    budget: float
    unit: str
    verdict: str
    confidence: float
    assumes: str  # what the bounds take for granted, as the end of a sentence
    episodes: int
    episode_length: float  # mean, in steps
    episodes_needed: float  # for a decision, if mean and spread stay as they are; infinite if none would come
    unseen: float  # at this confidence, at most this share of episodes costs more than the worst one seen
    warnings: tuple[str, ...]  # why the verdict may say more than the episodes show, in sentences

    @property
    def satisfied(self) -> bool:
        return self.verdict == "satisfied"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Two one-sided bounds on what a policy spends, and what they say of its budget."""

    lower: float
    upper: float
    verdict: str
    warnings: tuple[str, ...]

    @property
    def final(self) -> bool:
        """Whether there is a decision, and nothing to be said against it."""
        return self.verdict != "undecided" and not self.warnings


def judge(
    constraint: Constraint, spending: Spending, confidence: float, bound: str, looks: Sequence[int] = ()
) -> Verdict:
    """Judge one budget.

    A ``probability`` is bounded by Clopper and Pearson, whatever ``bound``. Episodes that all cost the same bound a
    mean by themselves, without width: they decide about no budget that is what they cost, and a decision about
    another one carries a warning.

    See docs/derivations.md#verdicts.

    Args:
        constraint: the budget.
        spending: what whole episodes cost.
        confidence: of each of the two bounds, inside (0, 1).
        bound: ``student-t``, ``bootstrap`` or ``betting``.
        looks: after how many episodes somebody looks, and may stop; none: after these alone.

    Raises:
        PgrobotError: no episodes, a confidence out of range, an unknown bound; one that relies on a cost's range
            where none is known or a step left it.
    """
    concluded = conclude(constraint, spending, confidence, bound, looks)
    chosen = sequential(inference(constraint, bound), looks)
    sample = Sample.of(constraint, spending)
    needed = float(len(spending.cost))
    if concluded.verdict == "undecided":
        hopeless = spending.broken or _says_nothing(sample, chosen, constraint) or _unknown(sample)
        needed = math.inf if hopeless else chosen.needed(sample, constraint.budget, confidence)
    return Verdict(
        mean=sample.mean,
        lower=concluded.lower,
        upper=concluded.upper,
        upper95=_interval(sample, spending, chosen, 0.95)[1],
        budget=constraint.budget,
        unit=constraint.unit,
        verdict=concluded.verdict,
        confidence=confidence,
        assumes=chosen.assumes,
        episodes=len(spending.cost),
        episode_length=float(spending.length.mean()),
        episodes_needed=needed,
        unseen=unseen(len(spending.cost), confidence),
        warnings=concluded.warnings,
    )


def conclude(
    constraint: Constraint, spending: Spending, confidence: float, bound: str, looks: Sequence[int] = ()
) -> Conclusion:
    """The bounds of one budget and what they decide, and no more; arguments and errors as of ``judge``."""
    chosen = sequential(inference(constraint, bound), looks)
    if not 0.0 < confidence < 1.0:
        raise PgrobotError(f"evaluation.confidence={confidence} has to lie between 0 and 1")
    if not len(spending.cost):
        raise PgrobotError(f"constraint {constraint.name!r} cannot be judged without episodes")
    sample = Sample.of(constraint, spending)
    if chosen.by_range:
        _check_range(constraint, spending)
    lower, upper = _interval(sample, spending, chosen, confidence)
    says_nothing = _says_nothing(sample, chosen, constraint)
    verdict = "undecided" if says_nothing else decision((lower, upper), constraint.budget)
    level = shared_level(confidence, max(1, len(looks)))
    unknown = _unknown(sample)
    warnings = (
        (_of_unknown(constraint, unknown, len(spending.cost)),)
        if unknown
        else cautions(constraint, sample, verdict, chosen, level)
    )
    return Conclusion(lower, upper, verdict, warnings)


def _interval(sample: Sample, spending: Spending, chosen: Inference, confidence: float) -> Interval:
    low, high = (math.nan, math.nan) if _unknown(sample) else chosen.interval(sample, confidence)
    return low, math.inf if spending.broken else high


def _unknown(sample: Sample) -> int:
    """In how many episodes the cost is no number."""
    return int(np.count_nonzero(~np.isfinite(sample.amount)))


def _of_unknown(constraint: Constraint, count: int, episodes: int) -> str:
    return (
        f"{constraint.name}: its cost is no finite number in {count} of {episodes} episodes, so nothing can be said of "
        f"its budget: see constraint.{constraint.name}.cost"
    )


def _says_nothing(sample: Sample, chosen: Inference, constraint: Constraint) -> bool:
    return sample.error == 0.0 and chosen.by_spread and _same(sample.mean, constraint.budget)


def _check_range(constraint: Constraint, spending: Spending) -> None:
    if not spending.in_range:
        raise PgrobotError(
            f"constraint {constraint.name!r} cost {spending.least:g} to {spending.most:g} in a step, which its range "
            "does not allow: evaluation.bound=betting needs costs of at least 0, and the right `highest`"
        )


def _same(mean: float, budget: float) -> bool:
    return math.isclose(mean, budget, rel_tol=ROUNDING, abs_tol=ROUNDING * ROUNDING)
