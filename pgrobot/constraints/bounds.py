"""One-sided confidence bounds: what episodes say about the policy that ran them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from pgrobot.constraints.sample import ROUNDING, Sample

Interval = tuple[float, float]

RESAMPLES = 4000
KEPT = 1024  # episodes up to which the resamples are kept from one bound to the next
MOST_BET = 0.9  # of the capital: what would be lost where an amount is as far off as it can be


def student_t(sample: Sample, confidence: float) -> Interval:
    """Lower and upper bound on the ratio of means, each right with probability ``confidence`` for normal data.

    A sample without spread gives bounds without width: nothing in it says how much another episode could differ.
    """
    if math.isinf(sample.error):
        return -math.inf, math.inf
    from scipy import stats  # takes half a second to import, which a run need not wait for when it starts

    width = sample.error * float(stats.t.ppf(confidence, len(sample.amount) - 1))
    return sample.mean - width, sample.mean + width


def bootstrap(sample: Sample, confidence: float) -> Interval:
    """The same by the studentised bootstrap (Efron and Tibshirani 1993, chapter 12.5), for skewed data.

    The same data give the same bounds. Where so few episodes cost anything that too many resamples have no spread,
    the data set no bound on that side and it is infinite.
    """
    value, error = sample.mean, sample.error
    if math.isinf(error):
        return -math.inf, math.inf
    if error == 0.0:
        return value, value
    count = len(sample.amount)
    drawn = _times_drawn(count) if count <= KEPT else _times_drawn.__wrapped__(count)
    residual, weight = sample.amount - value * sample.weight, sample.weight
    total, left, square, both, weights = (
        drawn @ np.stack((weight, residual, residual**2, residual * weight, weight**2), axis=1)
    ).T
    distance = left / total
    spread = square - 2.0 * distance * both + distance**2 * weights
    spread = np.where(spread <= ROUNDING * square, 0.0, spread)
    errors = np.sqrt(spread * count / (count - 1)) / total
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.sort(np.where(distance == 0.0, 0.0, distance / errors))
    cut = max(0, math.floor((1.0 - confidence) * (RESAMPLES + 1)) - 1)
    return value - error * float(score[-1 - cut]), value - error * float(score[cut])


@lru_cache(maxsize=2)
def _times_drawn(count: int) -> np.ndarray:
    """How often each resample of ``count`` episodes draws each of them, ``[RESAMPLES, count]``."""
    rows = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    places = (rows + count * np.arange(RESAMPLES)[:, None]).ravel()
    return np.bincount(places, minlength=RESAMPLES * count).reshape(RESAMPLES, count).astype(np.float64)


def clopper_pearson(hits: float, count: float, confidence: float) -> Interval:
    """Exact lower and upper bound on a probability after ``hits`` in ``count`` trials (Clopper and Pearson 1934)."""
    from scipy import stats

    lower = float(stats.beta.ppf(1.0 - confidence, hits, count - hits + 1)) if hits > 0 else 0.0
    upper = float(stats.beta.ppf(confidence, hits + 1, count - hits)) if hits < count else 1.0
    return lower, upper


def unseen(episodes: int, confidence: float) -> float:
    """At this confidence, at most this share of all episodes lies beyond the worst of those that were seen."""
    return 1.0 - (1.0 - confidence) ** (1.0 / episodes)


def betting(sample: Sample, confidence: float, plans: Sequence[int] = ()) -> Interval:
    """The same from nothing but the range of the amounts, by betting (Waudby-Smith and Ramdas 2023, arXiv 2010.09686).

    Whoever bets against a ratio that is right multiplies their money by ``1 / (1 − confidence)`` with probability of at
    most ``1 − confidence`` (Ville), at whatever time. The bounds are the ratios against which it never was.

    See docs/derivations.md#verdicts. Each bound holds for any number of episodes and any distribution within the
    range; they are as far apart as rare episodes at the end of the range allow, however alike the episodes seen are.

    Args:
        sample: in the order of time.
        confidence: of each bound.
        plans: after how many episodes somebody may look, none: after these. The stakes are then the same whatever
            the sample's length, so that the bounds hold at all looks together, and whenever the sampling stops.
    """
    return _least(sample, confidence, plans), sample.highest - _least(mirrored(sample), confidence, plans)


def beats(sample: Sample, ratio: float, confidence: float, plans: Sequence[int] = ()) -> bool:
    """Whether betting bounds the ratio of means from below by at least ``ratio``."""
    return _beats(sample, _stakes(sample, confidence, plans), ratio, confidence)


def mirrored(sample: Sample) -> Sample:
    """The same seen from the other end of the range: what was not spent of the most that could have been."""
    left = sample.highest * sample.weight - sample.amount
    return Sample(left, sample.weight, sample.highest, sample.heaviest)


def _least(sample: Sample, confidence: float, plans: Sequence[int]) -> float:
    """The greatest ratio that the bets beat, from below: what they gain falls as the ratio grows."""
    stakes = _stakes(sample, confidence, plans)
    low, high = 0.0, sample.highest
    while sample.amount.any() and low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if _beats(sample, stakes, middle, confidence) else (low, middle)
    return low


def _beats(sample: Sample, stakes: np.ndarray, ratio: float, confidence: float) -> bool:
    if ratio <= 0.0:
        return bool(ratio < 0.0 or sample.amount.any())
    gain = stakes * (sample.amount - ratio * sample.weight) / (ratio * sample.heaviest)
    money = np.logaddexp.reduce(np.cumsum(np.log1p(gain), axis=1), axis=0) - math.log(len(stakes))
    return float(money.max()) >= -math.log1p(-confidence)


def _stakes(sample: Sample, confidence: float, plans: Sequence[int] = ()) -> np.ndarray:
    """What share of the money is staked on each episode, from those before it alone, ``[P, n]``.

    The money is divided among ``P`` bettors, each of whom plans for one look: the predictable plug-in of the paper,
    with amounts counted in units of their mean.
    """
    amount, weight = sample.amount, sample.weight
    planned = np.array(plans or (len(amount),), dtype=np.float64)[:, None]
    seen = np.arange(1, len(amount))
    ratio = (np.cumsum(amount) / np.cumsum(weight))[:-1]
    square, both, weights = (np.cumsum(v)[:-1] for v in (amount**2, amount * weight, weight**2))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (square / ratio**2 - 2.0 * both / ratio + weights) / sample.heaviest**2
    spread = np.where(ratio > 0.0, np.maximum(spread, 0.0), 0.0)
    variance = np.concatenate(([1.0], (1.0 + spread) / (seen + 1)))  # as if one before had been a mean away
    needed = math.log(len(planned)) - math.log1p(-confidence)  # by the one whose plan it is, alone
    share = np.sqrt(2.0 * needed / (planned * variance))
    return np.minimum(share, MOST_BET)
