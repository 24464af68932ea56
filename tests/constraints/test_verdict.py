from __future__ import annotations

import math

import numpy as np
import pytest

from pgrobot.constraints import UNITS, Constraint, Verdict, judge
from pgrobot.constraints.bounds import bootstrap, clopper_pearson, student_t
from pgrobot.errors import PgrobotError

RANDOM = np.random.default_rng(0)
COST = RANDOM.normal(20.0, 4.0, 30)
LENGTH = RANDOM.integers(100, 1000, 30)


def judged(
    unit: str, budget: float, cost: np.ndarray = COST, limit: float = 25.0, **changes: object
) -> Verdict:
    constraint = Constraint("speed", budget, unit, limit)
    settings = {"broken": 0, "confidence": 0.95, "bound": "student-t"} | changes
    return judge(constraint, cost, 0.5 * cost, LENGTH[: len(cost)], **settings)  # type: ignore[arg-type]


def test_every_unit_is_judged_by_its_own_quantity() -> None:
    one = np.ones(30)
    assert judged("episode", 1.0).upper == student_t(COST, one, 0.95)[1]
    assert judged("discounted", 1.0).upper == student_t(0.5 * COST, one, 0.95)[1]
    assert judged("step", 1.0).upper == student_t(COST, LENGTH.astype(float), 0.95)[1]
    assert judged("step", 1.0).mean == pytest.approx(COST.sum() / LENGTH.sum())
    hits = int((COST > 25.0).sum())
    assert 0 < hits < 30
    for bound in ("student-t", "bootstrap"):
        likely = judged("probability", 0.5, bound=bound)
        assert (likely.lower, likely.upper) == clopper_pearson(hits, 30, 0.95)
        assert likely.mean == pytest.approx(hits / 30)
    assert judged("episode", 1.0, bound="bootstrap").upper == bootstrap(COST, one, 0.95)[1]


@pytest.mark.parametrize("unit", UNITS)
def test_the_verdict_follows_from_the_bounds(unit: str) -> None:
    seen = judged(unit, 0.5)
    assert seen.lower < seen.mean < seen.upper
    between = 0.5 * (seen.mean + seen.upper)
    for budget, expected in ((seen.upper, "satisfied"), (between, "undecided"), (seen.lower / 2, "violated")):
        verdict = judged(unit, budget)
        assert verdict.verdict == expected
        assert verdict.satisfied == (expected == "satisfied")


@pytest.mark.parametrize("unit", UNITS)
def test_where_a_simulation_broke_nothing_is_satisfied(unit: str) -> None:
    whole = judged(unit, 0.5)
    broken = judged(unit, whole.upper, broken=1)
    assert (judged(unit, whole.upper).verdict, broken.verdict) == ("satisfied", "undecided")
    assert (broken.mean, broken.lower) == (whole.mean, whole.lower)
    assert broken.upper == broken.upper95 == broken.episodes_needed == math.inf
    assert judged(unit, whole.lower / 2, broken=1).verdict == "violated"


def test_confidence_widens_the_bounds_but_not_the_95_percent_bound() -> None:
    careful, usual = judged("episode", 21.5, confidence=0.999), judged("episode", 21.5)
    assert careful.upper > usual.upper == usual.upper95 == careful.upper95
    assert (usual.verdict, careful.verdict) == ("satisfied", "undecided")


def test_a_verdict_is_wrong_no_more_often_than_it_says() -> None:
    random = np.random.default_rng(1)
    said = [judged("episode", 20.0, cost=random.normal(20.0, 8.0, 10)).verdict for _ in range(1000)]
    slack = 3 * math.sqrt(
        0.05 * 0.95 / 1000
    )  # the truth lies at the budget, so either decision errs in one of 20
    assert said.count("satisfied") / 1000 < 0.05 + slack
    assert said.count("violated") / 1000 < 0.05 + slack
    assert said.count("undecided") > 800


@pytest.mark.parametrize("budget", [19.0, 19.5, 20.2])
def test_the_episodes_needed_are_those_at_which_a_mean_is_decided(budget: float) -> None:
    verdict = judged("episode", budget, confidence=0.99)
    assert verdict.verdict == "undecided"
    needed = int(verdict.episodes_needed)
    assert needed > 30

    def same_mean_and_spread(count: int) -> np.ndarray:
        sample = np.random.default_rng(2).normal(size=count)
        return COST.mean() + COST.std(ddof=1) * (sample - sample.mean()) / sample.std(ddof=1)

    for count, expected in ((needed - 1, True), (needed, False)):
        lower, upper = student_t(same_mean_and_spread(count), np.ones(count), 0.99)
        assert (lower <= budget < upper) is expected


def test_few_episodes_needed_are_counted_with_their_own_degrees_of_freedom() -> None:
    """Mean 4 and deviation 5.66 against a distance of 6.3: the t bound is 6.66 wide for 4 episodes, 5.39 for 5."""
    verdict = judged("episode", 10.3, cost=np.array([0.0, 8.0]))
    assert (verdict.verdict, verdict.episodes_needed) == ("undecided", 5.0)


def test_the_episodes_needed_for_a_probability() -> None:
    never = judged("probability", 0.05, limit=1000.0)
    assert (never.verdict, never.episodes_needed) == ("undecided", 59.0)
    always = judged("probability", 0.99, limit=0.0)
    assert always.verdict == "undecided"
    assert always.episodes_needed == 299.0  # 0.05 ** (1 / 299) = 0.9900
    assert judged("probability", 0.0, limit=1000.0).episodes_needed == math.inf


def test_a_decided_budget_needs_no_more_episodes() -> None:
    assert judged("episode", 100.0).episodes_needed == 30.0


def test_a_mean_on_the_budget_is_never_decided() -> None:
    verdict = judged("episode", 2.0, cost=np.array([1.0, 2.0, 3.0]))
    assert (verdict.verdict, verdict.episodes_needed) == ("undecided", math.inf)


def test_one_episode_decides_nothing() -> None:
    verdict = judged("episode", 25.0, cost=np.array([3.0]))
    assert (verdict.verdict, verdict.mean, verdict.upper) == ("undecided", 3.0, math.inf)


def test_episodes_that_all_cost_the_same_say_how_much_they_leave_open() -> None:
    verdict = judged("episode", 25.0, cost=np.zeros(20))
    assert (verdict.verdict, verdict.upper) == ("satisfied", 0.0)
    assert verdict.unseen == pytest.approx(clopper_pearson(0, 20, 0.95)[1])
    assert judged("episode", 2.0, cost=np.full(20, 3.0)).verdict == "violated"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bound": "bootstra"}, "evaluation.bound=bootstra is unknown: did you mean 'bootstrap'"),
        ({"confidence": 1.0}, "evaluation.confidence=1.0"),
        ({"confidence": math.nan}, "evaluation.confidence=nan"),
        ({"cost": np.zeros(0)}, "'speed' cannot be judged without episodes"),
    ],
)
def test_bad_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(PgrobotError, match=message):
        judged("episode", 25.0, **changes)  # type: ignore[arg-type]
