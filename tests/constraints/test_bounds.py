from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from pgrobot.constraints.bounds import RESAMPLES, Interval, bootstrap, clopper_pearson, student_t
from pgrobot.constraints.sample import Sample

Bound = Callable[[Sample, float], Interval]


def pairs(amount: np.ndarray, weight: np.ndarray) -> Sample:
    """Amounts of which no range is known."""
    return Sample(np.asarray(amount, dtype=float), np.asarray(weight, dtype=float), math.inf, math.inf)


def equal(amount: np.ndarray) -> Sample:
    return pairs(amount, np.ones(len(amount)))


def test_student_t_is_scipys() -> None:
    sample = np.random.default_rng(0).normal(3.0, 2.0, 17)
    lower, upper = student_t(equal(sample), 0.9)
    assert upper == pytest.approx(
        stats.ttest_1samp(sample, 0, alternative="less").confidence_interval(0.9).high
    )
    assert lower == pytest.approx(
        stats.ttest_1samp(sample, 0, alternative="greater").confidence_interval(0.9).low
    )


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (1, 10), (7, 23), (50, 50)])
def test_clopper_pearson_is_scipys(hits: int, count: int) -> None:
    lower, upper = clopper_pearson(hits, count, 0.95)
    test = stats.binomtest(hits, count, alternative="less").proportion_ci(0.95, method="exact")
    assert upper == pytest.approx(test.high, rel=1e-10)
    test = stats.binomtest(hits, count, alternative="greater").proportion_ci(0.95, method="exact")
    assert lower == pytest.approx(test.low, rel=1e-10)


@pytest.mark.parametrize(("count", "bound"), [(10, 0.259), (59, 0.0495), (299, 0.00997)])
def test_no_hit_leaves_what_is_published(count: int, bound: float) -> None:
    lower, upper = clopper_pearson(0, count, 0.95)
    assert lower == 0.0
    assert upper == pytest.approx(bound, rel=5e-3)
    assert upper == pytest.approx(1 - 0.05 ** (1 / count), rel=1e-12)


def test_the_ratio_of_a_constant_rate_has_no_error() -> None:
    length = np.array([3.0, 50.0, 7.0])
    rate = pairs(0.25 * length, length)
    assert rate.mean == pytest.approx(0.25, rel=1e-15)
    assert rate.error == 0.0


def test_the_ratio_is_of_sums_and_not_of_episodes() -> None:
    assert pairs(np.array([1.0, 0.0]), np.array([1.0, 99.0])).mean == 0.01


def test_the_bootstrap_is_of_ratios_of_sums() -> None:
    """Against a loop over the same resamples that calls the ratio itself, for episodes of unequal length."""
    rng = np.random.default_rng(3)
    length = rng.integers(5, 200, 10).astype(float)
    amount = length * rng.exponential(0.2, 10)
    whole = pairs(amount, length)
    value, error = whole.mean, whole.error
    rows = np.random.default_rng(0).integers(10, size=(RESAMPLES, 10))
    scores = np.sort(
        [
            (v - value) / e
            for v, e in ((s.mean, s.error) for s in (pairs(amount[row], length[row]) for row in rows))
        ]
    )
    cut = math.floor(0.1 * (RESAMPLES + 1)) - 1
    expected = value - error * scores[-1 - cut], value - error * scores[cut]
    assert bootstrap(whole, 0.9) == pytest.approx(expected, rel=1e-9)
    assert bootstrap(pairs(7.0 * amount, 7.0 * length), 0.9) == pytest.approx(expected, rel=1e-9), (
        "in any unit"
    )


@pytest.mark.parametrize("bound", [student_t, bootstrap])
def test_one_episode_bounds_nothing(bound: Bound) -> None:
    assert bound(equal(np.array([3.0])), 0.95) == (-math.inf, math.inf)


@pytest.mark.parametrize("bound", [student_t, bootstrap])
def test_a_sample_without_spread_bounds_without_width(bound: Bound) -> None:
    assert bound(equal(np.full(8, 3.0)), 0.95) == (3.0, 3.0)


def test_the_bootstrap_repeats_itself_and_leans_to_the_long_tail() -> None:
    sample = equal(np.random.default_rng(1).exponential(1.0, 30))
    lower, upper = bootstrap(sample, 0.95)
    assert (lower, upper) == bootstrap(sample, 0.95)
    assert upper - sample.mean > 1.1 * (sample.mean - lower)
    assert upper > student_t(sample, 0.95)[1]


def test_the_bootstrap_agrees_with_student_t_on_normal_data() -> None:
    sample = equal(np.random.default_rng(2).normal(0.0, 1.0, 400))
    assert bootstrap(sample, 0.95) == pytest.approx(student_t(sample, 0.95), abs=0.01)


def test_the_bootstrap_sets_no_upper_bound_where_cost_is_too_rare() -> None:
    lower, upper = bootstrap(equal(np.array([9.0] + 19 * [0.0])), 0.95)
    assert upper == math.inf
    assert math.isfinite(lower)


def coverage(bound: Bound, draw: np.ndarray, weight: np.ndarray, truth: float) -> tuple[float, float]:
    """Shares of samples ``[R, n]`` whose lower and whose upper bound is right."""
    bounds = np.array([bound(pairs(x, w), 0.95) for x, w in zip(draw, weight, strict=True)])
    return float((bounds[:, 0] <= truth).mean()), float((bounds[:, 1] >= truth).mean())


def test_student_t_covers_normal_costs() -> None:
    draw = np.random.default_rng(3).normal(20.0, 8.0, (1000, 10))
    slack = 3 * math.sqrt(0.95 * 0.05 / 1000)
    assert min(coverage(student_t, draw, np.ones_like(draw), 20.0)) > 0.95 - slack


def test_student_t_covers_a_rate_per_step() -> None:
    random = np.random.default_rng(4)
    length = random.integers(200, 1000, (1000, 40))
    cost = random.binomial(length, 0.1)
    slack = 3 * math.sqrt(0.95 * 0.05 / 1000)
    assert min(coverage(student_t, cost.astype(float), length.astype(float), 0.1)) > 0.95 - slack


def test_the_bootstrap_covers_skewed_costs_where_student_t_does_not() -> None:
    draw = np.random.default_rng(5).exponential(10.0, (600, 20))
    slack = 3 * math.sqrt(0.95 * 0.05 / 600)
    assert min(coverage(bootstrap, draw, np.ones_like(draw), 10.0)) > 0.95 - slack
    assert coverage(student_t, draw, np.ones_like(draw), 10.0)[1] < 0.95 - slack


@pytest.mark.parametrize("share", [0.01, 0.05, 0.4])
def test_clopper_pearson_covers_every_probability(share: float) -> None:
    """Exactly, by summing over all outcomes."""
    count = 30
    hits = np.arange(count + 1)
    weight = stats.binom.pmf(hits, count, share)
    bounds = np.array([clopper_pearson(k, count, 0.95) for k in hits])
    assert weight[bounds[:, 0] <= share].sum() >= 0.95
    assert weight[bounds[:, 1] >= share].sum() >= 0.95
