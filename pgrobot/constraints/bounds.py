"""One-sided confidence bounds: what episodes say about the policy that ran them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Interval = tuple[float, float]
Bound = Callable[[np.ndarray, np.ndarray, float], Interval]

RESAMPLES = 4000


def ratio(amount: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """The ratio of sums of ``n`` pairs and its standard error, by the delta method.

    With all weights 1 these are the mean and ``s / √n``. One pair alone has an infinite error.

    Args:
        amount: ``[n]``.
        weight: ``[n]``, positive.
    """
    count = len(amount)
    value = float(amount.sum() / weight.sum())
    if count < 2:
        return value, math.inf
    residual = (amount - value * weight) / weight.mean()
    return value, float(np.sqrt((residual**2).sum() / (count - 1) / count))


def student_t(amount: np.ndarray, weight: np.ndarray, confidence: float) -> Interval:
    """Lower and upper bound on the ratio of means, each right with probability ``confidence`` for normal data.

    A sample without spread gives bounds without width: nothing in it says how much another episode could differ.
    """
    value, error = ratio(amount, weight)
    if math.isinf(error):
        return -math.inf, math.inf
    from scipy import stats  # takes half a second to import, which a run need not wait for when it starts

    width = error * float(stats.t.ppf(confidence, len(amount) - 1))
    return value - width, value + width


def bootstrap(amount: np.ndarray, weight: np.ndarray, confidence: float) -> Interval:
    """The same by the studentised bootstrap (Efron and Tibshirani 1993, chapter 12.5), for skewed data.

    The same data give the same bounds. Where so few episodes cost anything that too many resamples have no spread,
    the data set no bound on that side and it is infinite.
    """
    value, error = ratio(amount, weight)
    if math.isinf(error):
        return -math.inf, math.inf
    if error == 0.0:
        return value, value
    count = len(amount)
    rows = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    amounts, weights = amount[rows], weight[rows]
    values = amounts.sum(axis=1) / weights.sum(axis=1)
    residuals = (amounts - values[:, None] * weights) / weights.mean(axis=1, keepdims=True)
    errors = np.sqrt((residuals**2).sum(axis=1) / (count - 1) / count)
    distance = values - value
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.sort(np.where(distance == 0.0, 0.0, distance / errors))
    cut = max(0, math.floor((1.0 - confidence) * (RESAMPLES + 1)) - 1)
    return value - error * float(score[-1 - cut]), value - error * float(score[cut])


def clopper_pearson(hits: float, count: float, confidence: float) -> Interval:
    """Exact lower and upper bound on a probability after ``hits`` in ``count`` trials (Clopper and Pearson 1934)."""
    from scipy import stats

    lower = float(stats.beta.ppf(1.0 - confidence, hits, count - hits + 1)) if hits > 0 else 0.0
    upper = float(stats.beta.ppf(confidence, hits + 1, count - hits)) if hits < count else 1.0
    return lower, upper


BOUNDS: dict[str, Bound] = {"student-t": student_t, "bootstrap": bootstrap}
