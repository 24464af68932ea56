"""Where a bound falls short of its confidence, the verdict and the interval say so."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pgrobot.constraints import Constraint, Spending, Verdict, judge
from pgrobot.constraints.bounds import beats, mirrored, student_t
from pgrobot.constraints.caution import COCHRAN, interval_caution
from pgrobot.constraints.sample import Sample

HIGHEST, STEPS = 1.0, 1000


def judged(cost: np.ndarray, budget: float, bound: str = "student-t", highest: float = math.inf) -> Verdict:
    spending = Spending(cost, cost, np.full(len(cost), STEPS), 0, 0.0, 1.0, highest, STEPS, 1.0)
    return judge(Constraint("speed", budget, "episode", 1.0), spending, 0.95, bound)


def rare(random: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    """3 % of the episodes cost anything."""
    return (random.random(shape) < 0.03) * random.uniform(100.0, 300.0, shape), 6.0


def heavy(random: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    """A lognormal cut off at the range; its mean in closed form."""
    scale, spread, top = 20.0, 1.5, HIGHEST * STEPS
    location = math.log(scale) - spread**2 / 2.0
    cut = (math.log(top) - location) / spread
    mean = scale * stats.norm.cdf(cut - spread) + top * stats.norm.sf(cut)
    return np.minimum(random.lognormal(location, spread, shape), top), float(mean)


def ordinary(random: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    return random.binomial(STEPS, 0.02, shape).astype(float), 20.0


SHAPES = {"rare": rare, "heavy": heavy, "ordinary": ordinary}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("count", [20, 100, 1000])
def test_betting_covers_rare_heavy_and_ordinary_costs(name: str, count: int) -> None:
    draws, truth = SHAPES[name](np.random.default_rng(0), (600, count))
    samples = [Sample(draw, np.ones(count), HIGHEST * STEPS, 1.0) for draw in draws]
    too_low = [beats(mirrored(sample), sample.highest - truth, 0.95) for sample in samples]
    too_high = [beats(sample, truth, 0.95) for sample in samples]
    assert max(np.mean(too_low), np.mean(too_high)) <= 0.05


@pytest.mark.parametrize(
    ("name", "count", "coverage"), [("rare", 20, 0.5), ("rare", 100, 0.9), ("heavy", 20, 0.8)]
)
def test_where_student_t_falls_short_it_is_not_wrong_in_silence(
    name: str, count: int, coverage: float
) -> None:
    """Each budget is just below the truth, so that a satisfied one is wrong."""
    draws, truth = SHAPES[name](np.random.default_rng(1), (600, count))
    verdicts = [judged(draw, 0.999 * truth) for draw in draws]
    wrong = [verdict for verdict in verdicts if verdict.satisfied]
    assert 1.0 - len(wrong) / 600 < coverage, "which is why it warns"
    assert sum(not verdict.warnings for verdict in wrong) / 600 <= 0.05


def test_ordinary_costs_are_judged_without_a_warning() -> None:
    draws, truth = ordinary(np.random.default_rng(2), (300, 100))
    verdicts = [judged(draw, factor * truth) for draw in draws for factor in (1.2, 0.8)]
    assert {verdict.verdict for verdict in verdicts} == {"satisfied", "violated"}
    assert not any(verdict.warnings for verdict in verdicts)


def test_a_cost_that_was_never_seen_does_not_certify_a_small_budget_in_silence() -> None:
    """20 episodes without cost, where 3 % may cost 300 and the budget is 5."""
    verdict = judged(np.zeros(20), 5.0)
    (sentence,) = verdict.warnings
    assert sentence.startswith("speed: all 20 episodes cost the same, which says nothing of rarer ones")
    assert "up to 13.9 % of all may cost more" in sentence
    most = 5.0 / verdict.unseen
    assert sentence.endswith(f"only if those cost less than {most:.4g} in the mean")


@pytest.mark.parametrize(
    ("budget", "highest", "warns"), [(5.0, 1.0, True), (200.0, 1.0, False), (200.0, 9.0, True)]
)
def test_what_the_range_alone_decides_needs_no_warning(budget: float, highest: float, warns: bool) -> None:
    verdict = judged(np.zeros(20), budget, highest=highest)
    assert (verdict.verdict, bool(verdict.warnings)) == ("satisfied", warns)


def test_a_range_that_a_step_left_decides_nothing() -> None:
    cost = np.zeros(20)
    left = Spending(cost, cost, np.full(20, STEPS), 0, 0.0, 5.0, HIGHEST, STEPS, 1.0)
    assert judge(Constraint("speed", 200.0, "episode", 1.0), left, 0.95, "student-t").warnings


@pytest.mark.parametrize("count", [20, 100, 1000])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.3])
def test_the_rule_is_cochrans_towards_the_decision(count: int, share: float) -> None:
    hits = max(1, round(share * count))
    cost = np.where(np.arange(count) < hits, 100.0, 0.0)
    share = hits / count
    skewness = (1.0 - 2.0 * share) / math.sqrt(share * (1.0 - share))
    short = count < COCHRAN * skewness**2
    verdict = judged(cost, 90.0)
    assert (verdict.verdict, bool(verdict.warnings)) == ("satisfied", short)
    if short:
        assert (
            f"judge some {math.ceil(COCHRAN * skewness**2):,}, or use the bound betting "
            "(evaluation.bound=betting, or --bound betting of pgrobot evaluate)" in verdict.warnings[0]
        )
    assert judged(cost, 90.0, bound="betting", highest=HIGHEST).warnings == ()
    mirrored_cost = 100.0 - cost
    above = judged(mirrored_cost, 10.0)
    assert (above.verdict, bool(above.warnings)) == ("violated", short), (
        "costs that are rarely low, over the budget"
    )
    assert judged(mirrored_cost + 10.0, 190.0).warnings == (), "skewed away from the decision"


def test_an_undecided_budget_claims_nothing_and_warns_of_nothing() -> None:
    verdict = judged(np.where(np.arange(20) < 1, 100.0, 0.0), 6.0)
    assert (verdict.verdict, verdict.warnings) == ("undecided", ())


def returns(values: np.ndarray) -> Sample:
    return Sample(values, np.ones(len(values)), math.inf, 1.0)


def test_an_interval_that_knows_of_no_fall_is_not_wrong_in_silence() -> None:
    """One or two episodes in 100 fall: where none was seen the interval is narrow, misses the mean, and says why."""
    random = np.random.default_rng(4)
    draws = random.normal(2631.0, 25.0, (1000, 100))
    fell = random.random((1000, 100)) < 0.015
    draws[fell] = 400.0
    truth = 0.985 * 2631.0 + 0.015 * 400.0
    missed, silent = 0, 0
    for draw, falls in zip(draws, fell, strict=True):
        low, high = student_t(returns(draw), 0.975)
        missed += not low <= truth <= high
        silent += not low <= truth <= high and not interval_caution(returns(draw), 0.95, not falls.any())
    assert missed / 1000 > 0.15
    assert silent / 1000 < 0.05
    never = interval_caution(returns(draws[~fell.any(axis=1)][0]), 0.95, True)
    assert never.startswith("return: none of the 100 episodes ended in a fall, and up to 2.95 % of all may")


def test_an_ordinary_return_carries_none() -> None:
    random = np.random.default_rng(5)
    assert interval_caution(returns(random.normal(2631.0, 25.0, 100)), 0.95, False) == ""
    assert interval_caution(returns(np.full(9, 7.0)), 0.95, False).startswith(
        "return: all 9 episodes return the same"
    )
    assert "far higher than the rest" in interval_caution(returns(np.arange(9) ** 9.0), 0.95, False)


@pytest.mark.parametrize("size", [1e-300, 1e150, 1e300])
def test_the_size_of_a_return_changes_no_caution(size: float) -> None:
    plain, large = returns(np.arange(9) ** 9.0), returns(size * (np.arange(9) / 8.0) ** 9.0)
    assert large.skewness == pytest.approx(plain.skewness)
    assert large.error == pytest.approx(plain.error / plain.mean * large.mean)
    assert interval_caution(large, 0.95, False) == interval_caution(plain, 0.95, False)


@pytest.mark.filterwarnings("ignore:invalid", "ignore:overflow")
def test_what_is_no_number_in_the_mean_is_told() -> None:
    told = interval_caution(returns(np.full(9, 1e308)), 0.95, True)
    assert told == "return: the episodes return inf in the mean, so that there is no interval"
