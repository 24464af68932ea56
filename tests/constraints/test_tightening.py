"""Budgets that are tightened over training: what learns sees the present one, verdicts are on the last one."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import pytest
import torch
from toys import ABOVE, TargetWorld, make

from pgrobot.configure import build_constraints, compose, validated
from pgrobot.constraints import FIXED, Constraint, Lagrangian, Tightening, TighteningRule, tightening_of
from pgrobot.errors import PgrobotError

COLUMNS = ("reward", "cost/above")
TIGHTENED = dataclasses.replace(ABOVE, schedule=Tightening(5.0, 0.5))
KEY = "constraint.speed.schedule"
RULE = TighteningRule("initial")


def learning(constraint: Constraint, **changes: Any) -> Any:
    multiplier = Lagrangian((constraint,), COLUMNS, "sgd", 1.0, 0.5, 10.0)
    return make(TargetWorld(4, 0), constraint=constraint, multiplier=multiplier, iterations=8, **changes)


def test_a_budget_goes_straight_from_the_first_to_its_own_and_stays_there() -> None:
    schedule = Tightening(0.2, 0.5)
    assert schedule.at(0.025, 0.0) == 0.2  # to the last bit, as is the other end
    assert [schedule.at(0.025, progress) for progress in (0.5, 0.7, 1.0, 3.0)] == [0.025] * 4
    assert schedule.at(0.025, 0.125) == pytest.approx(0.2 - 0.175 / 4)
    assert Tightening(0.2, 1.0).at(0.025, 1.0) == 0.025
    assert [FIXED.at(0.025, progress) for progress in (0.0, 0.5, 2.0)] == [0.025] * 3


def test_what_learns_sees_the_present_budget_and_the_metrics_tell_it() -> None:
    """A budget of 1 from 5 by the fourth of eight iterations, and three more iterations than are annealed."""
    collector, learner = learning(TIGHTENED)
    size, level, square = 0.0, 0.5, 0.0
    for update in range(11):
        rollout = collector.collect()["robot"]
        told = learner.update(rollout)
        budget = 5.0 - update if update < 4 else 1.0
        assert told["cost/above/budget"] == budget
        left = (budget - told["cost/above/mean"]) / 8  # all episodes last 8 steps
        torch.testing.assert_close(learner._budgets.slack, torch.tensor([left]))
        square += (float(rollout.reward[..., 0].double().square().mean()) - square) / (update + 1)
        size, level = math.sqrt(square), max(0.0, level - left)
        assert told["multiplier/above"] == pytest.approx(size * level, rel=1e-5)


def test_a_schedule_over_all_of_training_ends_at_the_budget_itself() -> None:
    """Not an iteration's share before it, where rates end: what is trained on would be looser than what is judged."""
    slow = dataclasses.replace(ABOVE, schedule=Tightening(5.0, 1.0))
    collector, learner = learning(slow, passes=1)
    told = [learner.update(collector.collect()["robot"])["cost/above/budget"] for _ in range(10)]
    assert told == [5.0 - update / 2 for update in range(8)] + [1.0, 1.0]


def test_a_restored_learner_goes_on_where_the_budget_was() -> None:
    collector, learner = learning(TIGHTENED)
    for _ in range(2):
        learner.update(collector.collect()["robot"])
    kept, rollout = copy.deepcopy(learner.state_dict()), collector.collect()["robot"]
    _, other = learning(TIGHTENED)
    other.load_state_dict(kept)
    assert other.update(rollout) == learner.update(rollout)
    assert torch.equal(other.policy_vector.vector, learner.policy_vector.vector)


def test_no_schedule_and_one_that_is_over_are_its_absence() -> None:
    found = []
    for schedule in (
        FIXED,
        tightening_of(None),
        tightening_of({"initial": None, "until": 0.5}),
        Tightening(1.0, 0.5),
    ):
        collector, learner = learning(dataclasses.replace(ABOVE, schedule=schedule))
        told = [learner.update(collector.collect()["robot"]) for _ in range(3)]
        found.append((told, learner.policy_vector.vector.clone()))
    assert all(told == found[0][0] and torch.equal(vector, found[0][1]) for told, vector in found)


def test_a_config_says_it_by_keys_or_as_a_whole() -> None:
    cost = "cost:{_target_:pgrobot.envs.costs.Speed,threshold:1.0}"
    own = f"+constraint.own={{{cost},budget:0.1,unit:step,limit:1.0}}"  # has no schedule
    cfg = validated(
        compose(["constraint=[speed,torque]", f"{KEY}.initial=0.2", "constraint.torque.schedule=null", own])
    )
    assert [each.schedule for each in build_constraints(cfg)] == [Tightening(0.2, 0.5), FIXED, FIXED]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (0.2, r"schedule consists of keys, such as .*\.schedule\.initial, so it cannot be 0\.2"),
        (
            {"initial": 0.2, "untill": 0.5},
            r"schedule has no key 'untill': did you mean 'until' or 'initial'\?",
        ),
        ({"until": 0.5}, r"schedule\.initial must be given, the budget at first"),
        (
            {"initial": -0.2, "until": 0.5},
            r"schedule\.initial is the budget at first, a number of at least 0.* not -0\.2",
        ),
        ({"initial": math.inf, "until": 0.5}, r"schedule\.initial is the budget at first"),
        (
            {"initial": 0.2, "until": 0.0},
            r"schedule\.until is a share of annealing_steps, above 0 .* not 0\.0",
        ),
        ({"initial": 0.2, "until": 1.5}, r"schedule\.until is a share of annealing_steps"),
        ({"initial": 0.2, "until": 100_000}, r"schedule\.until is a share of annealing_steps.* not 100000"),
    ],
)
def test_a_schedule_that_is_none_is_refused(given: Any, words: str) -> None:
    with pytest.raises(PgrobotError, match=words):
        RULE(KEY, given)


def test_a_schedule_that_loosens_is_refused_and_so_is_a_probability_above_one() -> None:
    words = (
        r"constraint\.x\.schedule\.initial=0\.01 is below the budget of 0\.025.*: begin at 0\.025 or above"
    )
    with pytest.raises(PgrobotError, match=words):
        Constraint("x", 0.025, "step", 1.0, Tightening(0.01, 0.5))
    with pytest.raises(PgrobotError, match=r"schedule\.initial=2 is a probability, so at most 1"):
        Constraint("x", 0.025, "probability", 1.0, Tightening(2.0, 0.5))
    assert Constraint("x", 0.025, "probability", 1.0, Tightening(1.0, 0.5)).at(0.0) == 1.0
