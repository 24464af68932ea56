"""Where a bound promises more than the episodes show: the sentences that a verdict or an interval carries."""

from __future__ import annotations

import math

from pgrobot.constraints.bounds import betting, student_t, unseen
from pgrobot.constraints.budgets import Constraint, unattainable
from pgrobot.constraints.inference import Inference, called, decision
from pgrobot.constraints.sample import Sample

# Cochran 1977, page 42: an interval by the normal distribution holds where n exceeds 25 times the squared
# skewness. With fewer, the table in docs/benchmarks.md#bounds-on-costs shows by how much it falls short.
COCHRAN = 25.0


def cautions(
    constraint: Constraint, sample: Sample, verdict: str, inference: Inference, confidence: float
) -> tuple[str, ...]:
    """What a verdict has to be read with; arguments as ``judge`` has them.

    A decision by the spread of the episodes is doubtful where they have none, or are skewed towards it so that few of
    them make up the mean; unless the range of the cost alone decides the same.
    """
    impossible = unattainable(constraint)
    told = [impossible] if impossible and verdict != "violated" else []
    if inference.by_spread and verdict != "undecided":
        doubt = _doubt(constraint, sample, verdict, confidence)
        if doubt and not _sure(constraint, sample, verdict, confidence):
            told.append(f"{constraint.name}: {doubt}")
    return tuple(told)


def interval_caution(sample: Sample, confidence: float, unfallen: bool) -> str:
    """What the two-sided Student-t interval of a mean return has to be read with, or nothing.

    Args:
        sample: the returns.
        confidence: of the interval.
        unfallen: no episode ended in a fall, though one may. Falls that are so rare are not in the sample, and the
            interval does not reach as far as the mean would be lower, were they as frequent as they may be.
    """
    if not math.isfinite(sample.mean):
        return f"return: the episodes return {sample.mean:g} in the mean, so that there is no interval"
    count, wanted = len(sample.amount), _wanted(sample)
    rare = unseen(count, confidence)
    low, _ = student_t(sample, 0.5 + 0.5 * confidence)
    if unfallen and (1.0 - rare) * sample.mean < low:
        return (
            f"return: none of the {count} episodes ended in a fall, and up to {percent(rare)} of all may: the mean "
            f"would then be as low as {(1.0 - rare) * sample.mean:,.4g}, if a fall returned nothing"
        )
    if sample.error == 0.0:
        return (
            f"return: all {count} episodes return the same, so that the interval has no width; up to "
            f"{percent(rare)} of all may return something else"
        )
    if count >= wanted:
        return ""
    side = "lower" if sample.skewness < 0.0 else "higher"
    return (
        f"return: few of the {count} episodes are far {side} than the rest, and too few for the interval to hold as "
        f"often as it says: judge some {wanted:,}"
    )


def percent(share: float) -> str:
    """A share as it reads in a sentence."""
    return f"{100.0 * share:.3g} %"


def _doubt(constraint: Constraint, sample: Sample, verdict: str, confidence: float) -> str:
    count, share = len(sample.amount), unseen(len(sample.amount), confidence)
    if sample.error == 0.0:
        words = (
            f"all {count} episodes cost the same, which says nothing of rarer ones: up to {percent(share)} of all may "
            "cost "
        )
        if verdict == "satisfied" and constraint.unit != "step":
            most = sample.mean + (constraint.budget - sample.mean) / share
            return f"{words}more, and the budget is kept only if those cost less than {most:,.4g} in the mean"
        return f"{words}something else"
    towards = sample.skewness > 0.0 if verdict == "satisfied" else sample.skewness < 0.0
    wanted = _wanted(sample)
    if not towards or count >= wanted:
        return ""
    return (
        f"few of the {count} episodes make up most of what decides, and too few for a bound that holds in "
        f"{percent(confidence)} of cases: judge some {wanted:,}, or use {called('betting')}"
    )


def _wanted(sample: Sample) -> int:
    return math.ceil(COCHRAN * sample.skewness**2)


def _sure(constraint: Constraint, sample: Sample, verdict: str, confidence: float) -> bool:
    known = math.isfinite(sample.highest)
    return known and decision(betting(sample, confidence), constraint.budget) == verdict
