"""What a table over seeds claims: locations, intervals that cover, and a verdict of many verdicts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pgrobot.sweep.statistics import over_runs, trimmed_interval, trimmed_mean, verdict_over_runs


@pytest.mark.parametrize(
    ("verdicts", "runs", "verdict"),
    [
        (["satisfied"], 1, "satisfied"),
        (["satisfied"] * 3, 3, "satisfied"),
        (["satisfied", "undecided"], 2, "undecided"),
        (["satisfied"] * 2, 3, "undecided"),
        (["satisfied", "violated", "undecided"], 3, "violated"),
        (["violated"], 4, "violated"),
        ([], 0, "undecided"),
        ([], 2, "undecided"),
    ],
)
def test_the_verdict_over_runs(verdicts: list[str], runs: int, verdict: str) -> None:
    assert verdict_over_runs(verdicts, runs)[0] == verdict


def test_the_interquartile_mean_is_that_of_the_middle_half() -> None:
    assert trimmed_mean([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 1000.0], 0.25).centre == 4.5
    assert trimmed_mean([100.0, 1.0, 2.0, 3.0, -100.0], 0.25).centre == 2.0
    assert trimmed_mean([1.0, 2.0, 6.0], 0.25) == trimmed_mean([1.0, 2.0, 6.0], 0.0)


def test_without_spread_there_is_no_interval() -> None:
    for values in ([7.0], [7.0, 7.0, 7.0]):
        figure = over_runs(values)
        assert figure.runs == len(values)
        assert figure.mean.centre == figure.iqm.centre == 7.0
        assert all(math.isnan(end) for one in (figure.mean, figure.iqm) for end in (one.low, one.high))
    assert math.isnan(over_runs([]).mean.centre)


def test_without_trimming_the_interval_is_students() -> None:
    sample = np.random.default_rng(1).normal(size=7)
    interval = stats.ttest_1samp(sample, 0.0).confidence_interval(0.95)
    found = trimmed_mean(list(sample), 0.0)
    assert (found.centre, found.low, found.high) == pytest.approx((sample.mean(), *interval), rel=1e-12)


def test_with_trimming_it_is_tukeys_and_mclaughlins() -> None:
    sample = np.random.default_rng(2).normal(size=20)
    winsorised = stats.mstats.winsorize(sample, (0.25, 0.25))
    half = stats.t.ppf(0.975, 9) * math.sqrt(float(np.var(winsorised)) * 20 / (10 * 9))
    found = trimmed_mean(list(sample), 0.25)
    assert found.centre == pytest.approx(float(stats.trim_mean(sample, 0.25)), rel=1e-12)
    assert (found.low, found.high) == pytest.approx((found.centre - half, found.centre + half), rel=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_intervals_cover_as_often_as_they_say(share: float) -> None:
    """On normal samples of every size; a percentile bootstrap covers 52, 71 and 90 % of two, three and five."""
    random = np.random.default_rng(0)
    for runs in range(2, 31):
        centre, half = trimmed_interval(random.normal(size=(20_000, runs)), share)
        assert 0.93 <= np.mean(np.abs(centre) <= half) <= 0.96, runs
