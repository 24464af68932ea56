"""A cost that is one number in every step is told once, by the name of its constraint; no other is."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from toys import TargetWorld, make

from pgrobot.constraints import Constraint, Unvaried
from pgrobot.constraints.unvaried import LONG
from pgrobot.types import Step

NAMES = ("still", "none", "moving", "stepped")
CONSTRAINTS = tuple(Constraint(name, 1.0, "step", 1.0) for name in NAMES)


def test_one_that_never_varies_is_told_once_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """Steps that do not count may say what they like."""
    watched = Unvaried(CONSTRAINTS)
    counts = torch.ones(4, 2, dtype=torch.bool)
    counts[0, 1] = False
    with caplog.at_level(logging.WARNING):
        for rollout in range(3 * LONG):
            cost = torch.zeros(4, 2, 4)
            cost[..., 0] = 0.5
            cost[..., 2] = torch.rand(4, 2)
            cost[..., 3] = float(rollout % (LONG - 1) + 1)  # one number in every rollout, another in the next
            cost[0, 1] = 77.0
            watched.watch(cost, counts)
            assert len(caplog.records) == (rollout + 1 >= LONG)
    assert "The cost of 'still' has been 0.5 in every step of 20 rollouts" in caplog.text
    assert "constraint.still.cost" in caplog.text


def test_rollouts_without_costs_or_steps_say_nothing(caplog: pytest.LogCaptureFixture) -> None:
    nobody, nothing = Unvaried(()), Unvaried(CONSTRAINTS)
    for _ in range(2 * LONG):
        nobody.watch(torch.zeros(4, 2, 0), torch.ones(4, 2, dtype=torch.bool))
        nothing.watch(torch.ones(4, 2, 4), torch.zeros(4, 2, dtype=torch.bool))
    assert not caplog.records


def test_what_learns_looks_at_its_costs(caplog: pytest.LogCaptureFixture) -> None:
    """But for those of a step that broke, which are said to be 0."""

    class Charging(TargetWorld):
        def step(self, action: np.ndarray) -> Step:
            step = super().step(action)
            step.cost[:] = 1.0
            return step

    collector, learner = make(Charging(4, 0), passes=1)
    for _ in range(LONG):
        rollout = collector.collect()["robot"]
        rollout.censored[3, 1], rollout.reward[3, 1, 1] = True, 0.0
        learner.update(rollout)
    assert caplog.text.count("The cost of 'above' has been 1 in every step") == 1
