"""The gradient that is measured is the one that the first step of an update climbs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch.func import grad
from toys import ABOVE, BASELINES, TargetWorld, make

from pgrobot.baselines import Value
from pgrobot.batch import Batch
from pgrobot.constraints import Lagrangian
from pgrobot.variance import OBJECTIVE
from pgrobot.variance.gradients import advantages, gradient


def priced(columns: tuple[str, ...], constraints: Any) -> Lagrangian:
    return Lagrangian(constraints, columns, "sgd", 0.1, 0.7, 10.0)


@pytest.mark.parametrize("state_discount", [False, True])
@pytest.mark.parametrize("name", BASELINES)
def test_it_is_the_gradient_of_an_update(
    name: str, state_discount: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a learner with this baseline and raw advantages; one with another of both gives the same when it is asked."""
    world = TargetWorld(8, 0)
    multiplier = priced(("reward", "cost/above"), (ABOVE,))
    collector, learner = make(
        world,
        baseline=BASELINES[name],
        normalisation="raw",
        terms=OBJECTIVE,
        passes=1,
        multiplier=multiplier,
        state_discount=state_discount,
    )
    learner.update(
        collector.collect()["robot"]
    )  # a critic that has learnt something, normalisers that have moved
    rollout = collector.collect()["robot"]
    monkeypatch.setattr(
        multiplier, "update", lambda excess, length, reward: {}
    )  # the price moves on the rollout before it is mixed
    before = copy.deepcopy(learner.state_dict())
    found = gradient(learner, learner.seen(rollout), BASELINES[name], OBJECTIVE)
    torch.testing.assert_close(learner.state_dict(), before, rtol=0, atol=0)
    _, other = make(TargetWorld(8, 0), multiplier=multiplier, state_discount=state_discount, terms=OBJECTIVE)
    other.load_state_dict(before)
    again = gradient(other, other.seen(rollout), BASELINES[name], OBJECTIVE)
    torch.testing.assert_close(again, found, rtol=0, atol=0)
    climbed = []

    def first_step(batch: Batch) -> Any:
        vector = learner.policy_vector.vector
        climbed.append(-grad(lambda v: learner.problem.loss(v, batch)[0])(vector))
        return {"policy/kl": torch.zeros(())}, False

    monkeypatch.setattr(learner.policy_solver, "solve", first_step)
    learner.update(rollout)
    torch.testing.assert_close(found, climbed[0], rtol=1e-4, atol=1e-5 * float(found.abs().max()))


def test_advantages_are_what_baselines_see() -> None:
    seen = []

    class Spy:
        def __call__(self, sample: Any) -> Any:
            seen.append(sample.advantage)
            return Value()(sample)

    collector, learner = make(TargetWorld(8, 0))
    learner.update(collector.collect()["robot"])
    rollout = collector.collect()["robot"]
    gradient(learner, learner.seen(rollout), Spy(), OBJECTIVE)
    torch.testing.assert_close(advantages(learner, rollout), seen[0], rtol=0, atol=0)
