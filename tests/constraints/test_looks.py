"""Bounds that hold at every look: exactly, by summing over everything that can happen; Student-t is simulated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pgrobot.constraints import Constraint, Spending, conclude, judge
from pgrobot.constraints.bounds import _stakes, beats, betting, clopper_pearson, mirrored, student_t
from pgrobot.constraints.inference import TRIALS, inference, sequential, shared_level
from pgrobot.constraints.sample import Sample

from .test_betting import OUTCOMES, everything

PLANS = (2, 4, 6)


def until(sample: Sample, count: int) -> Sample:
    return Sample(sample.amount[:count], sample.weight[:count], sample.highest, sample.heaviest)


def money(sample: Sample, ratio: float, confidence: float) -> np.ndarray:
    """What the bettors have together after every episode, by a loop."""
    stakes = _stakes(sample, confidence, PLANS)
    have, told = np.ones(len(PLANS)), []
    for i, (amount, weight) in enumerate(zip(sample.amount, sample.weight, strict=True)):
        have = have * (1.0 + stakes[:, i] * (amount - ratio * weight) / (ratio * sample.heaviest))
        told.append(have.mean())
    return np.array(told)


@pytest.mark.parametrize("name", OUTCOMES)
def test_bettors_who_share_the_money_gain_nothing_on_average_whenever_they_stop(name: str) -> None:
    samples, likely, ratio = everything(name, 5)
    for seen, truth in ((samples, ratio), (list(map(mirrored, samples)), samples[0].highest - ratio)):
        owned = np.stack([money(sample, truth, 0.9) for sample in seen])
        assert likely @ owned == pytest.approx(np.ones(5), rel=1e-12)
        stopped = [m[np.argmax(m >= 1.5)] if (m >= 1.5).any() else m[-1] for m in owned]
        assert likely @ stopped == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("name", OUTCOMES)
@pytest.mark.parametrize("confidence", [0.6, 0.9])
def test_both_bounds_hold_at_all_looks_together(name: str, confidence: float) -> None:
    samples, likely, ratio = everything(name, 5)
    highest = samples[0].highest
    for seen, truth in ((samples, ratio), (list(map(mirrored, samples)), highest - ratio)):
        missed = [beats(s, truth, confidence, PLANS) for s in seen]  # at whatever time
        assert likely[missed].sum() <= 1.0 - confidence
        assert missed == [bool((money(s, truth, confidence) >= 1.0 / (1.0 - confidence)).any()) for s in seen]


def test_stakes_do_not_depend_on_when_somebody_stops() -> None:
    whole = everything("per step", 6)[0][500]
    for count in range(1, 7):
        assert np.array_equal(_stakes(until(whole, count), 0.9, PLANS), _stakes(whole, 0.9, PLANS)[:, :count])


def test_a_bettor_plans_to_win_alone() -> None:
    """Whose money is a third of it all needs three times as much, at the look that the stakes are planned for."""
    first = _stakes(everything("even", 2)[0][0], 0.9, (30, 60, 90))[:, 0]
    assert first == pytest.approx([math.sqrt(2.0 * math.log(3 / 0.1) / plan) for plan in (30, 60, 90)])


def test_bounds_only_come_closer() -> None:
    random = np.random.default_rng(1)
    sample = Sample(random.beta(0.5, 3.0, 60), np.ones(60), 1.0, 1.0)
    lower, upper = np.array([betting(until(sample, n), 0.9, (20, 60)) for n in range(1, 61)]).T
    assert (np.diff(lower) >= 0.0).all()
    assert (np.diff(upper) <= 0.0).all()
    assert lower[-1] > 0.0
    assert upper[-1] < 0.5


def test_together_bettors_are_never_worse_than_looks_that_share() -> None:
    random = np.random.default_rng(2)
    plans = (15, 30, 60)
    for scale in (0.1, 0.5):
        sample = Sample(scale * random.beta(0.5, 1.0, 60), np.ones(60), 1.0, 1.0)
        lower, upper = betting(sample, 0.95, plans)
        for plan in plans:
            alone = betting(sample, shared_level(0.95, len(plans)), (plan,))
            assert alone[0] <= lower + 1e-12
            assert upper <= alone[1] + 1e-12


def test_one_look_changes_no_bit() -> None:
    sample = everything("three", 6)[0][-40]
    assert betting(sample, 0.9) == betting(sample, 0.9, (6,))
    for bound in ("student-t", "betting", "bootstrap"):
        chosen = inference(Constraint("speed", 1.0, "episode", 0.0), bound)
        assert sequential(chosen, ()) is sequential(chosen, (6,)) is chosen


def test_looks_share_what_other_bounds_may_miss() -> None:
    sample = Sample(np.random.default_rng(3).normal(5.0, 1.0, 40), np.ones(40), math.inf, 1.0)
    hits = Sample(np.array([1.0, 0.0, 0.0, 1.0]), np.ones(4), 1.0, 1.0)
    student = sequential(inference(Constraint("speed", 1.0, "episode", 0.0), "student-t"), (10, 20, 40))
    assert student.interval(sample, 0.94) == student_t(sample, 1.0 - 0.06 / 3)
    assert sequential(TRIALS, (4, 8)).interval(hits, 0.9) == clopper_pearson(2.0, 4, 0.95)
    assert shared_level(0.94, 3) == 1.0 - 0.06 / 3


@pytest.mark.parametrize("budget", [0.02, 0.1, 0.5])
def test_a_share_of_episodes_is_wrongly_decided_no_more_often_than_said_at_any_look(budget: float) -> None:
    """Exactly: who stops at the first decision, at the truth that is hardest to tell, on the budget's edge."""
    looks = (50, 100, 200, 400)
    shared = sequential(TRIALS, looks)
    likely, wrong, before = np.ones(1), {"satisfied": 0.0, "violated": 0.0}, 0  # of each count of hits so far
    for look in looks:
        new = stats.binom.pmf(np.arange(look - before + 1), look - before, budget)
        likely, before = np.convolve(likely, new), look
        for hits in range(look + 1):
            outcome = np.zeros(look)
            outcome[:hits] = 1.0
            lower, upper = shared.interval(Sample(outcome, np.ones(look), 1.0, 1.0), 0.95)
            verdict = "satisfied" if upper <= budget else "violated" if lower > budget else ""
            if verdict:
                wrong[verdict] += likely[hits]
                likely[hits] = 0.0
    assert 0.0 < max(wrong.values()) <= 0.05


def stopped(corrected: bool) -> float:
    """How often normal costs whose mean is just above the budget are found satisfied, by whoever stops then."""
    looks, random, wrong, times = (20, 40, 80, 160, 320), np.random.default_rng(4), 0, 1000
    quantile = {n: stats.t.ppf(shared_level(0.95, len(looks)) if corrected else 0.95, n - 1) for n in looks}
    for _ in range(times):
        cost = random.normal(0.0, 1.0, looks[-1])
        wrong += any(
            cost[:n].mean() + quantile[n] * cost[:n].std(ddof=1) / math.sqrt(n) <= 0.0 for n in looks
        )
    return wrong / times


def test_student_t_that_shares_is_wrong_no_more_often_than_said_and_without_sharing_more_often() -> None:
    assert stopped(corrected=True) <= 0.05
    assert stopped(corrected=False) > 0.1


def spending(cost: np.ndarray, highest: float) -> Spending:
    return Spending(
        cost=cost,
        discounted=cost,
        length=np.full(len(cost), 10),
        broken=0,
        least=0.0,
        most=float(cost.max()),
        highest=highest,
        max_episode_steps=10,
        gamma=0.99,
    )


def test_a_judgement_between_looks_has_the_bounds_of_all_looks() -> None:
    constraint = Constraint("speed", 30.0, "episode", 0.0)
    spent = spending(np.random.default_rng(5).uniform(0.0, 10.0, 100), 10.0)
    sample = Sample.of(constraint, spent)
    betted = judge(constraint, spent, 0.9, "betting", (50, 100, 200))
    assert (betted.lower, betted.upper) == betting(sample, 0.9, (50, 100, 200))
    student = judge(constraint, spent, 0.9, "student-t", (50, 100, 200))
    assert (student.lower, student.upper) == student_t(sample, shared_level(0.9, 3))
    found = conclude(constraint, spent, 0.9, "student-t", (50, 100, 200))
    assert (found.lower, found.upper, found.verdict) == (student.lower, student.upper, student.verdict)


def test_a_decision_with_a_warning_is_not_final() -> None:
    constraint = Constraint("speed", 5.0, "episode", 0.0)
    nothing = conclude(constraint, spending(np.zeros(20), math.inf), 0.95, "student-t")
    assert (nothing.verdict, nothing.final) == ("satisfied", False)
    plain = conclude(
        constraint, spending(np.random.default_rng(6).uniform(0.0, 2.0, 50), math.inf), 0.95, "student-t"
    )
    assert plain.final
    between = conclude(constraint, spending(np.array([0.0, 9.0, 5.0]), math.inf), 0.95, "student-t")
    assert (between.verdict, between.final) == ("undecided", False)
