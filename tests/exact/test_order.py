"""Environments side by side are a set: in which order they stand changes no gradient, as far as folds allow."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from toys import TargetWorld, make

from pgrobot.baselines import Baseline, Constant, NoBaseline, Optimal, Projection, Value
from pgrobot.learner import Learner
from pgrobot.objectives import ControlVariate, Likelihood
from pgrobot.types import Rollout
from pgrobot.variance.gradients import gradient

ENVS, ROWS = 4, 64
TERMS = {"likelihood": Likelihood(1.0), "control": ControlVariate(1.0)}
ORDER = [2, 0, 3, 1]
# with as many folds as environments each is compared with all others; fewer folds deal them by their place
IN_ANY_ORDER = {
    "none": NoBaseline(),
    "value": Value(),
    "constant": Constant(folds=ENVS),
    "optimal": Optimal(folds=ENVS),
    "linear": Projection("linear", components=1, ridge=0.01, folds=ENVS),
    "quadratic": Projection("quadratic", components=1, ridge=0.01, folds=ENVS),
}


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    """Another order rounds otherwise."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def permuted(rollout: Rollout, order: list[int]) -> Rollout:
    columns = {
        field.name: pytree.tree_map(lambda x: x[:, order], getattr(rollout, field.name))
        for field in dataclasses.fields(Rollout)
        if field.name not in ("columns", "episodic")
    }
    return dataclasses.replace(rollout, **columns)


def begun() -> tuple[Rollout, Learner]:
    """A rollout and a learner whose critic predicts something; one step per update, on all rows."""
    collector, learner = make(TargetWorld(ENVS, 0, costs=False), minibatch=ROWS, passes=1)
    learner.update(collector.collect()["robot"])
    rollout = collector.collect()["robot"]
    assert rollout.log_prob.shape[1] == ENVS
    assert rollout.log_prob.numel() == ROWS
    return rollout, learner


def gap(baseline: Baseline) -> float:
    """How far the gradients of two orders differ, over their norm."""
    rollout, learner = begun()
    one = gradient(learner, learner.seen(rollout), baseline, TERMS)
    assert float(one.norm()) > 0.0
    other = gradient(learner, learner.seen(permuted(rollout, ORDER)), baseline, TERMS)
    return float((other - one).norm() / one.norm())


@pytest.mark.parametrize("name", IN_ANY_ORDER)
def test_the_order_of_environments_changes_no_gradient(name: str) -> None:
    assert gap(IN_ANY_ORDER[name]) < 1e-12


@pytest.mark.parametrize("baseline", [Constant(folds=2), Optimal(folds=2)])
def test_fewer_folds_than_environments_are_dealt_by_their_place(baseline: Baseline) -> None:
    assert gap(baseline) > 1e-4


def test_the_order_of_environments_changes_no_update_on_all_rows() -> None:
    ends: list[Tensor] = []
    for order in (list(range(ENVS)), ORDER):
        rollout, learner = begun()
        learner.update(permuted(rollout, order))
        ends.append(
            torch.cat([p.flatten() for part in (learner.policy, learner.critic) for p in part.parameters()])
        )
    torch.testing.assert_close(ends[1], ends[0], rtol=0, atol=1e-9)
