from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch

from pgrobot.constraints import UNITS, Constraint, CostColumns
from pgrobot.errors import PgrobotError


def constraint(unit: str, limit: float = 3.0, name: str = "speed", budget: float = 0.5) -> Constraint:
    return Constraint(name, budget, unit, limit)


def test_every_unit_makes_a_constraint() -> None:
    assert [constraint(unit).unit for unit in UNITS] == list(UNITS)


@pytest.mark.parametrize("budget", [-1.0, math.nan, math.inf, "25", None, True])
def test_a_budget_that_is_no_amount_is_refused(budget: object) -> None:
    with pytest.raises(PgrobotError, match=r"constraint\.speed\.budget=.* finite number of at least 0"):
        Constraint("speed", budget, "episode", 1.0)  # type: ignore[arg-type]


def test_a_limit_that_is_no_amount_is_refused() -> None:
    with pytest.raises(PgrobotError, match=r"constraint\.speed\.limit=nan"):
        Constraint("speed", 1.0, "episode", math.nan)


def test_an_unknown_unit_is_refused_with_the_nearest() -> None:
    with pytest.raises(PgrobotError, match=r"constraint\.speed\.unit=episodes is unknown.*'episode'"):
        Constraint("speed", 1.0, "episodes", 1.0)


def test_a_probability_above_one_is_refused() -> None:
    with pytest.raises(PgrobotError, match="at most 1"):
        Constraint("speed", 1.1, "probability", 1.0)
    assert Constraint("speed", 1.0, "probability", 1.0).budget == 1.0


def test_columns_without_probability_are_the_cost_itself() -> None:
    columns = CostColumns((constraint("episode"), constraint("step"), constraint("discounted")), 2)
    cost = np.random.default_rng(0).random((2, 3))
    assert np.array_equal(columns(cost, np.array([False, True])), cost)
    assert not columns.paid.any()


def test_a_probability_column_sums_to_the_indicator_of_exceeding_over_every_episode() -> None:
    random = np.random.default_rng(1)
    envs, steps, limit = 7, 400, 3.0
    columns = CostColumns((constraint("episode"), constraint("probability", limit)), envs)
    cost = random.integers(0, 3, (steps, envs, 2)).astype(float)
    done = random.random((steps, envs)) < 0.2
    done[-1] = True
    paid = np.stack([columns(cost[t], done[t]).copy() for t in range(steps)])
    assert np.array_equal(paid[..., 0], cost[..., 0])
    for n in range(envs):
        ends = np.flatnonzero(done[:, n]) + 1
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            running = cost[start:end, n, 1].cumsum()
            first = np.zeros(end - start)
            first[np.flatnonzero(running > limit)[:1]] = 1.0
            assert np.array_equal(paid[start:end, n, 1], first)


def test_a_sum_at_the_limit_does_not_exceed_it() -> None:
    columns = CostColumns((constraint("probability", 2.0),), 1)
    going = np.array([False])
    assert [columns(np.array([[1.0]]), going).item() for _ in range(4)] == [0.0, 0.0, 1.0, 0.0]
    assert columns.paid.item()


def test_columns_continue_from_their_state() -> None:
    random = np.random.default_rng(2)
    constraints = (constraint("probability", 3.0), constraint("episode"))
    one, other = CostColumns(constraints, 5), CostColumns(constraints, 5)
    steps = [(random.integers(0, 3, (5, 2)).astype(float), random.random(5) < 0.1) for _ in range(60)]
    for cost, done in steps[:25]:
        one(cost, done)
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    for cost, done in steps[25:]:
        assert np.array_equal(one(cost, done), other(cost, done))
        assert np.array_equal(one.paid, other.paid)


def test_a_column_that_pays_once_hides_no_cost_that_is_no_number() -> None:
    """The episode's later steps tell nothing either; the next episode is another one, and so are the others."""
    columns = CostColumns((constraint("probability", 1.0),), 2)
    ends, goes_on = np.array([True, False]), np.array([False, False])
    told = [
        columns(np.array([[cost], [2.0]]), done)[:, 0]
        for cost, done in ((0.0, goes_on), (math.nan, goes_on), (3.0, ends), (3.0, goes_on))
    ]
    np.testing.assert_array_equal([first for first, _ in told], [0.0, math.nan, math.nan, 1.0])
    assert [second for _, second in told] == [1.0, 0.0, 0.0, 0.0]
