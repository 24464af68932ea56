from __future__ import annotations

import math

import numpy as np
import pytest

from pgrobot.constraints import UNITS, Constraint, Spending, Verdict, judge
from pgrobot.constraints.bounds import betting, bootstrap, clopper_pearson, student_t
from pgrobot.constraints.sample import Sample
from pgrobot.errors import PgrobotError

RANDOM = np.random.default_rng(0)
COST = RANDOM.normal(20.0, 4.0, 30)
LENGTH = RANDOM.integers(100, 1000, 30)


STEPS, GAMMA = 1000, 0.99


def spent(cost: np.ndarray, length: np.ndarray, broken: int = 0, highest: float = math.inf) -> Spending:
    return Spending(cost, 0.5 * cost, length, broken, 0.0, 0.0, highest, STEPS, GAMMA)


def judged(
    unit: str,
    budget: float,
    cost: np.ndarray = COST,
    limit: float = 25.0,
    broken: int = 0,
    highest: float = math.inf,
    **changes: object,
) -> Verdict:
    constraint = Constraint("speed", budget, unit, limit)
    settings = {"confidence": 0.95, "bound": "student-t"} | changes
    spending = spent(cost, np.resize(LENGTH, len(cost)), broken, highest)
    return judge(constraint, spending, **settings)  # type: ignore[arg-type]


def mean_of(amount: np.ndarray, weight: np.ndarray | None = None, highest: float = math.inf) -> Sample:
    one = np.ones(len(amount))
    return Sample(amount, one if weight is None else weight, highest, 1.0 if weight is None else STEPS)


def test_every_unit_is_judged_by_its_own_quantity() -> None:
    rate = mean_of(COST, LENGTH.astype(float))
    assert judged("episode", 1.0).upper == student_t(mean_of(COST), 0.95)[1]
    assert judged("discounted", 1.0).upper == student_t(mean_of(0.5 * COST), 0.95)[1]
    assert judged("step", 1.0).upper == student_t(rate, 0.95)[1]
    assert judged("step", 1.0).mean == pytest.approx(COST.sum() / LENGTH.sum())
    hits = int((COST > 25.0).sum())
    assert 0 < hits < 30
    for bound in ("student-t", "bootstrap", "betting"):
        likely = judged("probability", 0.5, bound=bound)
        assert (likely.lower, likely.upper) == clopper_pearson(hits, 30, 0.95)
        assert likely.mean == pytest.approx(hits / 30)
    assert judged("episode", 1.0, bound="bootstrap").upper == bootstrap(mean_of(COST), 0.95)[1]
    for unit, sample in (
        ("episode", mean_of(COST, highest=2.0 * STEPS)),
        ("discounted", mean_of(0.5 * COST, highest=2.0 * (1.0 - GAMMA**STEPS) / (1.0 - GAMMA))),
        ("step", mean_of(COST, LENGTH.astype(float), highest=2.0)),
    ):
        seen = judged(unit, 1.0, bound="betting", highest=2.0)
        assert (seen.lower, seen.upper) == pytest.approx(betting(sample, 0.95), rel=1e-9)


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
        lower, upper = student_t(mean_of(same_mean_and_spread(count)), 0.99)
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


@pytest.mark.parametrize("bound", ["student-t", "bootstrap", "betting"])
@pytest.mark.parametrize("unit", ["episode", "discounted", "step"])
@pytest.mark.parametrize("value", [0.0, 3.0, 0.1])
def test_a_sample_without_spread_decides_nothing_about_its_own_value(
    unit: str, bound: str, value: float
) -> None:
    cost = np.full(20, value) if unit != "step" else value * np.resize(LENGTH, 20)
    cost = 2.0 * cost if unit == "discounted" else cost  # of which ``spent`` takes half
    verdict = judged(unit, value, cost=cost, bound=bound, highest=5.0)
    assert (verdict.verdict, verdict.mean) == ("undecided", pytest.approx(value, rel=1e-12))
    assert verdict.episodes_needed == math.inf


def test_no_episodes_certify_a_budget_of_0_and_the_verdict_says_what_can_be() -> None:
    for unit in ("episode", "discounted", "step"):
        (sentence,) = judged(unit, 0.0, cost=np.zeros(1000)).warnings
        assert sentence.startswith("constraint.speed.budget=0 can never be certified")
        assert (
            "constraint.speed.unit=probability constraint.speed.limit=0 constraint.speed.budget=0.05"
            in sentence
        )
    offered = judged("probability", 0.05, cost=np.zeros(59), limit=0.0)
    assert (offered.verdict, offered.warnings) == ("satisfied", ())
    (sentence,) = judged("probability", 0.0, cost=np.zeros(1000), limit=0.0).warnings
    assert "which 59 episodes without it certify at 95 %" in sentence
    assert judged("episode", 0.0, cost=np.full(9, 3.0)).warnings[0].startswith("speed: all 9")
    assert judged("episode", 0.0, cost=np.full(9, 3.0), highest=5.0).warnings == (), (
        "that it costs something is sure"
    )


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


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("bound", ["student-t", "bootstrap"])
def test_a_cost_that_is_no_number_decides_nothing_and_is_told_by_its_constraint(
    unit: str, bound: str
) -> None:
    """Also of a probability, under whose limit no comparison with it is."""
    cost = np.where(np.arange(30) == 3, np.nan, 0.0 * COST)
    found = judged(unit, 0.5, cost, bound=bound)
    assert found.verdict == "undecided"
    assert math.isnan(found.mean)
    assert math.isnan(found.upper)
    assert found.episodes_needed == math.inf
    (warning,) = found.warnings
    assert warning.startswith("speed: its cost is no finite number in 1 of 30 episodes")
    assert judged(unit, 0.5, 0.0 * COST, bound=bound).verdict == "satisfied"
