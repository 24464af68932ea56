"""Statistics over seeds: the mean and the interquartile mean, each with an interval, and one verdict of many."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
QUARTER = 0.25


@dataclass(frozen=True, slots=True)
class Estimate:
    """A location over runs and its 95 % interval, whose ends are NaN where the runs show no spread."""

    centre: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class OverRuns:
    """One figure over the runs of a group."""

    runs: int
    mean: Estimate
    iqm: Estimate


def over_runs(values: Iterable[float]) -> OverRuns:
    """Estimate the mean and the interquartile mean of a figure that each run has once."""
    sample = list(values)
    return OverRuns(len(sample), trimmed_mean(sample, 0.0), trimmed_mean(sample, QUARTER))


def trimmed_mean(values: Sequence[float], share: float) -> Estimate:
    """The mean without the lowest and the highest ``share`` of one sample, with its interval."""
    if len(values) == 0:
        return Estimate(math.nan, math.nan, math.nan)
    centre, half = map(float, trimmed_interval(np.asarray(values, np.float64), share))
    return Estimate(centre, centre - half, centre + half)


def trimmed_interval(samples: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Trimmed means and the half widths of their t intervals.

    With g values left out at each end, h = n − 2g kept, and SSD_w the sum of squared deviations of the winsorised
    sample, the half width is t_{h−1} √(SSD_w / (h (h − 1))) (Tukey and McLaughlin 1963, Sankhyā A 25). A share of 0
    makes it Student's interval of the mean; one of a quarter belongs to the interquartile mean, less noisy than the
    mean and less biased than the median for a handful of seeds (Agarwal et al. 2021, arXiv 2108.13264).

    Args:
        samples: ``[…, n]``, n at least 1.
        share: below one half.

    Returns:
        Both ``[…]``; the half width is NaN for a single value and where nothing varies: the spread is not known.
    """
    ordered = np.sort(samples, axis=-1)
    cut = int(share * ordered.shape[-1])
    kept = ordered.shape[-1] - 2 * cut
    middle = ordered[..., cut : cut + kept]
    centre = middle.mean(-1)
    if kept == 1:
        return centre, np.full_like(centre, np.nan)
    winsorised = np.clip(ordered, middle[..., :1], middle[..., -1:])
    spread = np.square(winsorised - winsorised.mean(-1, keepdims=True)).sum(-1)
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, kept - 1) * np.sqrt(spread / (kept * (kept - 1)))
    return centre, np.where(np.ptp(winsorised, axis=-1) > 0.0, half, np.nan)


def verdict_over_runs(verdicts: Sequence[str], runs: int) -> tuple[str, Counter[str]]:
    """One verdict of many, and how many there are of each.

    What is judged is that *every* run keeps the budget: ``satisfied`` if all of them do, ``violated`` as soon as one
    violates it, else ``undecided``. A run without a verdict has not kept its budget.

    Args:
        verdicts: of the finished runs.
        runs: how many there are, the others included.
    """
    counts = Counter(verdicts)
    if counts["violated"]:
        return "violated", counts
    return "satisfied" if 0 < runs == counts["satisfied"] else "undecided", counts
