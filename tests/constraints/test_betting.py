"""Bounds that assume nothing but a range: exactly, by summing over everything that can happen."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

from pgrobot.constraints import Constraint, Spending, check_bound, judge
from pgrobot.constraints.bounds import MOST_BET, _stakes, beats, betting, mirrored
from pgrobot.constraints.inference import inference
from pgrobot.constraints.sample import Sample
from pgrobot.errors import PgrobotError

# What an episode may come to (amount, weight) and how likely it is, with the range: amount ≤ highest · weight.
OUTCOMES = {
    "rare": ([(0.0, 1.0), (1.0, 1.0)], [0.95, 0.05], 1.0, 1.0),
    "even": ([(0.0, 1.0), (1.0, 1.0)], [0.5, 0.5], 1.0, 1.0),
    "common": ([(0.0, 1.0), (1.0, 1.0)], [0.1, 0.9], 1.0, 1.0),
    "three": ([(0.0, 1.0), (3.0, 1.0), (40.0, 1.0)], [0.6, 0.3, 0.1], 40.0, 1.0),
    "per step": ([(0.0, 5.0), (8.0, 40.0), (25.0, 25.0)], [0.5, 0.3, 0.2], 1.0, 50.0),
}


def everything(name: str, count: int) -> tuple[list[Sample], np.ndarray, float]:
    """Every sequence of ``count`` episodes, how likely each is, and the true ratio."""
    outcomes, chances, highest, heaviest = OUTCOMES[name]
    pairs, chance = np.array(outcomes), np.array(chances)
    ratio = float((chance @ pairs[:, 0]) / (chance @ pairs[:, 1]))
    samples, likely = [], []
    for drawn in itertools.product(range(len(outcomes)), repeat=count):
        rows = list(drawn)
        samples.append(Sample(pairs[rows, 0], pairs[rows, 1], highest, heaviest))
        likely.append(chance[rows].prod())
    return samples, np.array(likely), ratio


def money(sample: Sample, ratio: float, confidence: float) -> float:
    gain = _stakes(sample, confidence) * (sample.amount - ratio * sample.weight) / (ratio * sample.heaviest)
    return float(np.prod(1.0 + gain))


@pytest.mark.parametrize("name", OUTCOMES)
def test_no_bet_against_the_truth_gains_on_average(name: str) -> None:
    samples, likely, ratio = everything(name, 6)
    for seen, truth in ((samples, ratio), (list(map(mirrored, samples)), samples[0].highest - ratio)):
        assert likely @ [money(sample, truth, 0.9) for sample in seen] == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("name", OUTCOMES)
@pytest.mark.parametrize("confidence", [0.6, 0.95])
def test_both_bounds_hold_as_often_as_they_say_for_every_distribution(name: str, confidence: float) -> None:
    samples, likely, ratio = everything(name, 6)
    too_high = likely[[beats(sample, ratio, confidence) for sample in samples]].sum()
    highest = samples[0].highest
    too_low = likely[[beats(mirrored(sample), highest - ratio, confidence) for sample in samples]].sum()
    assert max(too_high, too_low) <= 1.0 - confidence


@pytest.mark.parametrize("name", ["three", "per step"])
def test_the_bounds_are_where_the_bets_no_longer_win(name: str) -> None:
    sample = everything(name, 4)[0][-2]
    lower, upper = betting(sample, 0.9)
    assert 0.0 < lower < sample.mean < upper <= sample.highest
    assert beats(sample, lower - 1e-9, 0.9)
    assert not beats(sample, lower + 1e-9, 0.9)
    least = sample.highest - upper
    assert least == 0.0 or beats(mirrored(sample), least - 1e-9, 0.9)
    assert not beats(mirrored(sample), least + 1e-9, 0.9)


def test_money_falls_as_the_ratio_grows_so_that_the_bounds_are_an_interval() -> None:
    random = np.random.default_rng(0)
    length = random.integers(1, 50, 40).astype(float)
    sample = Sample(length * random.beta(0.3, 1.0, 40), length, 1.0, 50.0)
    won = [beats(sample, ratio, 0.95) for ratio in np.linspace(0.001, 1.0, 300)]
    assert won == sorted(won, reverse=True)
    assert True in won
    assert False in won


@pytest.mark.parametrize("count", [20, 100, 1000])
def test_episodes_that_cost_nothing_leave_what_the_range_allows(count: int) -> None:
    """Every episode multiplies the money on less than ``m`` by ``1 + stake · m / (1 − m)``."""
    stake = np.minimum(MOST_BET, np.sqrt(2.0 * math.log(20.0) * np.arange(1, count + 1) / count))

    def short(m: float) -> float:
        return float(np.log1p(stake * m / (1.0 - m)).sum()) - math.log(20.0)

    expected = optimize.brentq(short, 1e-9, 1.0 - 1e-9)
    lower, upper = betting(Sample(np.zeros(count), np.ones(count), 1000.0, 1.0), 0.95)
    assert (lower, upper) == (0.0, pytest.approx(1000.0 * expected, rel=1e-6))
    assert 1.0 - 0.05 ** (1.0 / count) < expected < 1.2 * (1.0 - 0.05 ** (1.0 / count)), (
        "close to the best there is"
    )


def test_the_unit_of_the_cost_is_of_no_consequence() -> None:
    random = np.random.default_rng(1)
    sample = Sample(random.uniform(0.0, 5.0, 30), np.ones(30), 9.0, 1.0)
    scaled = replace(sample, amount=7.0 * sample.amount, highest=63.0)
    assert betting(scaled, 0.95) == pytest.approx(np.multiply(7.0, betting(sample, 0.95)), rel=1e-12)
    short = replace(sample, weight=np.full(30, 4.0), amount=4.0 * sample.amount, heaviest=4.0)
    assert betting(short, 0.95) == pytest.approx(betting(sample, 0.95), rel=1e-12)


def test_more_episodes_bound_more_tightly() -> None:
    random = np.random.default_rng(2)
    for draw in (random.beta(2.0, 5.0, 4000), 0.3 * (random.random(4000) < 0.03)):
        widths = []
        for count in (20, 200, 4000):
            lower, upper = betting(Sample(draw[:count], np.ones(count), 1.0, 1.0), 0.95)
            assert lower <= draw.mean() <= upper
            widths.append(upper - lower)
        assert widths[0] > 2.0 * widths[1] > 4.0 * widths[2]


def spending(cost: np.ndarray, highest: float, steps: tuple[float, float] = (0.0, 1.0)) -> Spending:
    """Of episodes of 1,000 steps, of which each cost something between two amounts."""
    return Spending(cost, cost, np.full(len(cost), 1000), 0, *steps, highest, 1000, 0.99)


def test_a_bet_needs_no_fewer_episodes_than_it_says() -> None:
    constraint, cost = Constraint("speed", 25.0, "episode", 1.0), np.resize([0.0, 4.0, 7.0], 30)
    verdict = judge(constraint, spending(cost, 1.0), 0.95, "betting")
    needed = int(verdict.episodes_needed)
    assert (verdict.verdict, verdict.warnings) == ("undecided", ())
    assert 100 < needed < 300
    for count, said in ((int(0.98 * needed), "undecided"), (needed, "satisfied")):
        assert judge(constraint, spending(np.resize(cost, count), 1.0), 0.95, "betting").verdict == said


def test_a_mean_of_0_needs_episodes_without_end() -> None:
    verdict = judge(Constraint("speed", 0.0, "episode", 1.0), spending(np.zeros(20), 1.0), 0.95, "betting")
    assert (verdict.verdict, verdict.episodes_needed) == ("undecided", math.inf)


def test_per_step_the_cost_is_bounded_against_the_length() -> None:
    """Episodes of one length: the rate is the mean over that length, in whatever unit it is judged."""
    cost = np.random.default_rng(3).uniform(0.0, 400.0, 50)
    whole = judge(Constraint("speed", 250.0, "episode", 1.0), spending(cost, 1.0), 0.95, "betting")
    rate = judge(Constraint("speed", 0.25, "step", 1.0), spending(cost, 1.0), 0.95, "betting")
    assert (rate.lower, rate.upper) == pytest.approx((whole.lower / 1000.0, whole.upper / 1000.0), rel=1e-9)
    assert rate.verdict == whole.verdict


def test_a_bound_by_the_range_needs_one() -> None:
    limited = (Constraint("speed", 25.0, "episode", 1.0), Constraint("cost", 25.0, "episode", 1.0))
    check_bound(limited, {"speed": 1.0, "cost": math.inf}, "student-t")
    check_bound((Constraint("cost", 0.1, "probability", 1.0),), {"cost": math.inf}, "betting")
    with pytest.raises(PgrobotError, match=r"'cost' does not say: .*constraint\.cost\.cost\.highest=1"):
        check_bound(limited, {"speed": 1.0, "cost": math.inf}, "betting")


@pytest.mark.parametrize("steps", [(-0.1, 1.0), (0.0, 5.0)])
def test_a_step_outside_of_its_range_is_refused(steps: tuple[float, float]) -> None:
    """However little the episodes cost as a whole."""
    constraint = Constraint("speed", 25.0, "episode", 1.0)
    spent = spending(np.array([3.0, 5.0]), 1.0, steps)
    sentence = rf"'speed' cost {steps[0]:g} to {steps[1]:g} in a step, which its range does not allow"
    with pytest.raises(PgrobotError, match=sentence):
        judge(constraint, spent, 0.95, "betting")
    judge(constraint, spent, 0.95, "student-t")  # which asks for no range


def test_what_each_bound_assumes_is_said() -> None:
    constraint = Constraint("speed", 25.0, "episode", 1.0)
    for bound, word in (
        ("student-t", "normal"),
        ("bootstrap", "differ"),
        ("betting", "nothing but the range"),
    ):
        assert word in inference(constraint, bound).assumes
        assert (
            judge(constraint, spending(np.ones(9), 1.0), 0.95, bound).assumes
            == inference(constraint, bound).assumes
        )
