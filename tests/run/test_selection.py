"""Which policy is the best."""

from __future__ import annotations

import math

import pytest

from pgrobot.run.selection import WORST, score


def cost(upper: float, budget: float = 10.0) -> dict[str, float]:
    return {"upper": upper, "budget": budget}


def test_a_feasible_policy_beats_every_other() -> None:
    assert score(-100.0, [cost(10.0)], 0) > score(1e6, [cost(10.1)], 0)


def test_feasible_policies_compare_by_return() -> None:
    assert score(2.0, [cost(9.0)], 0) > score(1.0, [cost(0.0)], 0)


def test_the_others_compare_by_their_worst_violation_and_not_by_return() -> None:
    assert score(1.0, [cost(12.0), cost(11.0)], 0) > score(9.0, [cost(10.0), cost(13.0)], 0)


def test_violations_are_shares_of_the_budget() -> None:
    assert score(0.0, [cost(110.0, 100.0)], 0) > score(0.0, [cost(2.0, 1.0)], 0)
    assert score(0.0, [cost(0.5, 0.0)], 0).merit == -0.5


def test_a_bound_that_is_not_known_is_no_reason_to_refuse_the_first_policy() -> None:
    assert score(0.0, [cost(math.inf)], 0) >= WORST


def test_a_policy_that_broke_simulations_is_no_better_than_any_other() -> None:
    assert score(9.0, [], 1) == score(9.0, [cost(1.0)], 3) == WORST
    assert score(-9.0, [cost(13.0)], 0) > score(9.0, [cost(1.0)], 1)


def test_without_constraints_the_return_decides() -> None:
    assert score(2.0, [], 0) > score(1.0, [], 0) > WORST


@pytest.mark.parametrize(
    ("mean_return", "upper"), [(math.nan, 5.0), (5.0, math.nan), (math.nan, math.nan)], ids=str
)
def test_what_is_not_a_number_is_never_better_than_what_is(mean_return: float, upper: float) -> None:
    unknown = score(mean_return, [cost(1.0), cost(upper)], 0)
    assert unknown == WORST
    assert score(-100.0, [cost(1.0)], 0) > unknown
    assert score(-100.0, [cost(11.0)], 0) > unknown
