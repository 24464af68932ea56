"""Statistics over seeds: the interquartile mean and its bootstrap interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
_RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """An interquartile mean over runs and its 95 % interval, which is NaN for a single run."""

    mean: float
    low: float
    high: float


def interquartile_mean(values: Sequence[float]) -> Estimate:
    """Estimate the mean of the middle half of ``values`` and a percentile bootstrap interval of it.

    Less noisy than the mean and less biased than the median for a handful of seeds (Agarwal et al. 2021, arXiv
    2108.13264). The resampling is seeded: the same values give the same interval.
    """
    sample = np.asarray(values, np.float64)
    mean = float(stats.trim_mean(sample, 0.25))
    if len(sample) < 2 or np.ptp(sample) == 0.0:
        spread = 0.0 if len(sample) > 1 else math.nan
        return Estimate(mean, mean - spread, mean + spread)
    interval = stats.bootstrap(
        (sample,),
        lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        n_resamples=_RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high))
