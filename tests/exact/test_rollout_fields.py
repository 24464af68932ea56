"""What a rollout says of its steps: padding that is not learnt from, decisions that last, columns without an end."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import jacrev
from toys import ABOVE, BASELINES, TargetWorld, make, values_of

from pgrobot.baselines import Value
from pgrobot.constraints import Lagrangian
from pgrobot.errors import PgrobotError
from pgrobot.learner import Learner
from pgrobot.solvers import CompatibleFisher, GaussNewtonFisher
from pgrobot.types import Metrics, Rollout

COLUMNS = ("reward", "cost/above")
PADDING = 3  # environments whose steps are none


def padded(rollout: Rollout, value: float) -> Rollout:
    """The rollout beside environments whose every number is ``value``, which weigh nothing."""

    def wider(x: Any) -> Any:
        if isinstance(x, dict):
            return {name: wider(column) for name, column in x.items()}
        shape = (len(x), PADDING, *x.shape[2:])
        return torch.cat((x, torch.full(shape, value if x.is_floating_point() else 1, dtype=x.dtype)), 1)

    kept = ("columns", "episodic", "weight", "duration", "telemetry")
    fields = {
        f.name: wider(getattr(rollout, f.name)) for f in dataclasses.fields(Rollout) if f.name not in kept
    }
    weight = torch.cat((rollout.weight, torch.zeros(len(rollout.weight), PADDING)), 1)
    duration = torch.ones_like(weight)
    return dataclasses.replace(rollout, **fields, weight=weight, duration=duration)


def updated(name: str, value: float | None) -> tuple[Metrics, Learner]:
    """A learner after an update in one minibatch on a rollout, padded if there is a value."""
    changes: dict[str, Any] = {"baseline": BASELINES.get(name, Value()), "state_discount": name == "value"}
    if name == "lagrangian":
        changes["multiplier"] = Lagrangian((ABOVE,), COLUMNS, "sgd", 0.5, 0.7, 10.0)
    collector, learner = make(TargetWorld(4, 0), minibatch=64, passes=2, **changes)
    first, rollout = (collector.collect()["robot"] for _ in range(2))
    learner.update(first)
    if value is not None:
        if name == "lagrangian":
            changes["multiplier"] = Lagrangian((ABOVE,), COLUMNS, "sgd", 0.5, 0.7, 10.0)
        _, wide = make(TargetWorld(4, 0), minibatch=112, passes=2, **changes)
        wide.load_state_dict(copy.deepcopy(learner.state_dict()))
        learner, rollout = wide, padded(rollout, value)
    return learner.update(rollout), learner


@pytest.mark.parametrize("name", [*BASELINES, "lagrangian"])
def test_padding_changes_nothing(name: str) -> None:
    """Whatever its numbers are: loss, moments of the normalisers, prices, fits and statistics leave it out."""
    metrics, learner = updated(name, None)
    for value in (0.5, 40.0):
        told, other = updated(name, value)
        for key in metrics:
            assert told[key] == pytest.approx(metrics[key], rel=2e-4, abs=2e-5), key
        for part in ("policy", "critic"):
            (one, same) = (getattr(a, f"{part}_vector").vector for a in (learner, other))
            torch.testing.assert_close(same, one, rtol=1e-4, atol=1e-5)
            moments, others = (getattr(a, part).normalizer.moments for a in (learner, other))
            assert others.count == moments.count
            torch.testing.assert_close(others.mean, moments.mean)


@pytest.mark.parametrize(
    "metric", [GaussNewtonFisher(1.0), CompatibleFisher(1.0)], ids=["exact", "compatible"]
)
def test_padding_is_no_part_of_a_metric(metric: Any) -> None:
    collector, learner = make(TargetWorld(4, 0))
    learner.update(collector.collect()["robot"])
    rollout = collector.collect()["robot"]
    vector = learner.policy_vector.vector
    direction = torch.randn(len(vector), generator=torch.Generator().manual_seed(0))

    def product(rollout: Rollout) -> Tensor:
        batch = learner.pose(rollout).policy
        return metric(learner.problem, vector, batch, torch.Generator())(direction)

    for value in (0.5, 40.0):
        torch.testing.assert_close(product(padded(rollout, value)), product(rollout), rtol=1e-4, atol=1e-4)


def test_padding_costs_nothing() -> None:
    """What a solver is told of the budgets, at other parameters than those that acted, and its slope."""
    collector, learner = make(TargetWorld(4, 0))
    learner.update(collector.collect()["robot"])
    rollout = collector.collect()["robot"]
    vector = learner.policy_vector.vector + 0.05

    def costs(rollout: Rollout) -> tuple[Tensor, Tensor]:
        batch = learner.pose(rollout).policy
        return learner.problem.costs(vector, batch), jacrev(lambda v: learner.problem.costs(v, batch))(vector)

    value, slope = costs(rollout)
    assert float(value.abs().max()) > 1e-3
    for number in (0.5, 40.0):
        same, also = costs(padded(rollout, number))
        torch.testing.assert_close(same, value, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(also, slope, rtol=1e-4, atol=1e-5)


def test_a_weight_of_one_is_no_weight() -> None:
    """Rows that all count the same are taken the way that knows of no weights: to the last bit."""
    collector, learner = make(TargetWorld(4, 0))
    assert learner.pose(collector.collect()["robot"]).policy.weight.shape == (64, 0)


def by_hand(rollout: Rollout, learner: Learner) -> Tensor:
    """GAE with γ^duration, where columns that are not episodic know of no end but the rollout's, step by step."""
    values = values_of(learner, rollout)
    advantage = torch.zeros_like(rollout.reward)
    steps, envs, columns = rollout.reward.shape
    for column in range(columns):
        episodic = bool(rollout.episodic[column])
        for env in range(envs):
            running = torch.zeros(())
            for t in reversed(range(steps)):
                discount = 0.9 ** float(rollout.duration[t, env])
                alive = not (episodic and bool(rollout.terminated[t, env]))
                goes_on = not episodic and t + 1 < steps
                following = values.now[t + 1, env, column] if goes_on else values.next[t, env, column]
                delta = (
                    rollout.reward[t, env, column] + discount * alive * following - values.now[t, env, column]
                )
                ends = episodic and bool(rollout.done[t, env])
                running = delta if ends else delta + discount * 0.95 * running
                advantage[t, env, column] = running
    return advantage


def test_a_decision_that_lasts_is_discounted_by_its_steps() -> None:
    collector, learner = make(TargetWorld(4, 0, costs=False, fatal=0.8))
    learner.update(collector.collect()["robot"])
    rollout = collector.collect()["robot"]
    lasting = dataclasses.replace(rollout, duration=1.0 + torch.arange(64.0).view(16, 4) % 3)
    estimate = learner.poser.estimate(lasting, values_of(learner, lasting), torch.zeros(16, 4))
    torch.testing.assert_close(estimate.advantage, by_hand(lasting, learner), rtol=1e-4, atol=1e-5)
    short = learner.poser.estimate(rollout, values_of(learner, rollout), torch.zeros(16, 4))
    assert float((short.advantage - estimate.advantage).abs().max()) > 0.01


def test_a_decision_that_lasts_may_cost_as_many_steps() -> None:
    """What a budget leaves per step is met by what a row costs, of which there are fewer; padding is none."""
    collector, learner = make(TargetWorld(4, 0))
    rollout, slack = collector.collect()["robot"], torch.tensor([0.25])
    here = learner.policy_vector.vector
    assert torch.equal(learner.poser.evidence(rollout, 4, slack, torch.ones_like(slack), here).slack, slack)
    lasting = padded(rollout, 0.5)
    lasting = dataclasses.replace(lasting, duration=1.0 + torch.arange(16.0 * 7).view(16, 7) % 3)
    mean = lasting.duration[lasting.weight > 0.0].mean()
    found = learner.poser.evidence(lasting, 7, slack, torch.ones_like(slack), here).slack
    torch.testing.assert_close(found, 0.25 * mean.view(1))


class Novelty:
    """A bonus that does not end with the episode."""

    column = "bonus/novelty"

    def __call__(self, rollout: Rollout) -> Rollout:
        return rollout.with_column(self.column, rollout.obs["policy"][..., 0].abs(), episodic=False)

    def fit(self, rollout: Rollout) -> Metrics:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def test_a_column_without_an_end_goes_on_where_an_episode_ends() -> None:
    collector, learner = make(TargetWorld(4, 0, fatal=0.8), intrinsic=[Novelty()])
    learner.update(collector.collect()["robot"])
    rollout = Novelty()(collector.collect()["robot"])
    assert rollout.columns == learner.columns == ("reward", "cost/above", "bonus/novelty")
    assert rollout.episodic.tolist() == [True, True, False]
    assert rollout.terminated.any()
    estimate = learner.poser.estimate(rollout, values_of(learner, rollout), torch.zeros(16, 4))
    torch.testing.assert_close(estimate.advantage, by_hand(rollout, learner), rtol=1e-4, atol=1e-5)
    ending = dataclasses.replace(rollout, episodic=torch.ones(3, dtype=torch.bool))
    other = learner.poser.estimate(ending, values_of(learner, ending), torch.zeros(16, 4))
    assert torch.equal(other.advantage[..., :2], estimate.advantage[..., :2])
    assert not torch.equal(other.advantage[..., 2], estimate.advantage[..., 2])


def test_a_budget_is_not_measured_on_decisions_that_last() -> None:
    collector, learner = make(TargetWorld(4, 0))
    rollout = collector.collect()["robot"]
    with pytest.raises(PgrobotError, match="a step of this rollout lasts several steps"):
        learner.update(dataclasses.replace(rollout, duration=2.0 * rollout.duration))


def test_what_minibatches_report_is_the_mean_over_the_rows_that_count() -> None:
    """However the padding falls among them, as if the batch were one; at a rate that moves nothing."""
    collector, learner = make(TargetWorld(4, 0), minibatch=28, passes=1, rate=1e-12)
    posed = learner.pose(padded(collector.collect()["robot"], 0.5))
    whole = learner.problem.loss(learner.policy_vector.vector, posed.policy)[1]
    told, _ = learner.solve(posed)
    assert told["objective/surrogate"] == pytest.approx(float(whole["objective/surrogate"]), abs=1e-6)
