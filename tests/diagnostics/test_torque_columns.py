"""Gradients by actuator where reward, costs and the advantage that trains all differ, against sums written out."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from typing import Any, cast

import pytest
import torch
from actuated import plain, posed, spec_of, trained
from torch import Tensor
from torch.utils import _pytree as pytree
from toys import TargetWorld, make, make_policy

from pgrobot.diagnostics import Sensitivity, TorqueGradients, sensitivity
from pgrobot.diagnostics.actuators import Actuators
from pgrobot.diagnostics.pull import Pull, mean_score, whole_gradient
from pgrobot.diagnostics.torque import gradients, loads
from pgrobot.distributions import Beta, Binned, Distribution, Gaussian, SmoothGaussian, SquashedGaussian
from pgrobot.objectives import PolicyAt, Ratio
from pgrobot.randomness import stream
from pgrobot.solvers import PolicySnapshot
from pgrobot.types import Action

ROWS, PADDING = 300, 41
COLUMNS = ("reward", "cost/heat", "cost/speed", "cost/noise")


def problem(actions: int = 2) -> PolicySnapshot:
    """One of three costs, whose advantage that trains is neither the reward's nor any cost's."""
    generator = stream(7, "columns")
    policy = make_policy({"policy": 2}, actions, ()).double()
    obs = torch.tensor([1.0, 0.3]).double() * torch.randn(ROWS, 2, generator=generator).double()
    with torch.no_grad():
        here, _ = policy({"policy": obs}, torch.zeros(ROWS, 0), torch.zeros(ROWS, dtype=torch.bool))
        action = here.sample(generator)
    noise = (action - here.mean) / here.std
    drawn = lambda: torch.randn(ROWS, generator=generator).double()
    columns = {
        "reward": drawn() + noise[:, 0],
        "cost/heat": drawn() + noise[:, 0] - 2.0 * noise[:, 1],
        "cost/speed": drawn() + 0.7 * noise[:, 1] * obs[:, 0],
        "cost/noise": drawn(),
    }
    trains = columns["reward"] - 1.7 * columns["cost/heat"] - 0.6 * columns["cost/speed"] + 0.2
    weight = torch.rand(ROWS, 1, generator=generator).double()
    weight[:PADDING] = 0.0
    return posed(policy, obs, action, trains, columns, weight, {"surrogate": Ratio(1.0)})


def told(snapshot: PolicySnapshot, actuators: Actuators) -> dict[str, Tensor]:
    return gradients(Pull.of(snapshot, actuators), tuple(snapshot.columns), actuators)


def feedback(snapshot: PolicySnapshot, advantage: Tensor) -> Tensor:
    """Of a Gaussian: ``Σ w A (a − μ) / σ² (1, z)``, ``[J, 1 + D]``."""
    batch, here = snapshot.batch, cast("Gaussian", snapshot.start.here)
    weight = batch.weight[:, 0] / batch.weight.sum()
    obs = batch.obs["policy"]
    mean = weight @ obs
    z = (obs - mean) / (weight @ (obs - mean).square()).sqrt()
    score = (batch.action - here.mean) / here.std.square()
    return torch.einsum("b,bj,bd->jd", weight * advantage, score, torch.cat((torch.ones(ROWS, 1), z), -1))


def test_every_cost_is_compared_with_the_reward_and_nothing_else() -> None:
    snapshot = problem()
    found = told(snapshot, plain(2))
    by_column = {name: feedback(snapshot, snapshot.columns[name]) for name in COLUMNS}
    assert sorted(name for name in found if name.startswith("cosine_")) == [
        f"cosine_{cost}" for cost in ("heat", "noise", "speed")
    ]
    for name in COLUMNS:
        short = name.removeprefix("cost/")
        torch.testing.assert_close(found[f"gradient_{short}"], by_column[name][:, 0])
        if short != "reward":
            cosine = torch.cosine_similarity(by_column["reward"], by_column[name], -1)
            torch.testing.assert_close(found[f"cosine_{short}"], cosine)
    whole = feedback(snapshot, snapshot.batch.advantage).square().sum(-1)
    torch.testing.assert_close(found["share"], whole / whole.sum())


def test_push_and_signal_are_those_of_the_advantage_that_trains() -> None:
    """And of the steps that count, as much as each does."""
    snapshot = problem()
    scaled = Actuators.of(spec_of(Action("hip", "-3 N·m", 0), Action("knee", "40 N·m", 0)), 2)
    found = told(snapshot, scaled)
    batch, here = snapshot.batch, cast("Gaussian", snapshot.start.here)
    weight = batch.weight[:, 0] / batch.weight.sum()
    centred = batch.advantage - weight @ batch.advantage
    push = (weight * centred / (weight @ centred.square()).sqrt()) @ (batch.action - here.mean)
    torch.testing.assert_close(found["push"], push * torch.tensor([-3.0, 40.0]).double())
    one = batch.advantage.unsqueeze(-1) * (batch.action - here.mean) / here.std.square()
    mean = weight @ one
    torch.testing.assert_close(found["snr"], mean.abs() / (weight @ (one - mean).square()).sqrt())


def family(name: str) -> Distribution:
    mean = torch.tensor([0.2, -0.4]).double().expand(ROWS, 2)
    gaussian = Gaussian(mean, torch.tensor([-0.7, -1.1]).double().expand(ROWS, 2))
    logits = torch.tensor([[0.1, 0.9, -0.3], [0.4, -1.0, 0.2]]).double().expand(ROWS, 2, 3)
    kinds: dict[str, Distribution] = {
        "squashed": SquashedGaussian(gaussian),
        "beta": Beta(2.0 + mean, 3.0 - mean),
        "binned": Binned(logits),
    }
    return kinds[name]


@pytest.mark.parametrize("name", ["squashed", "beta", "binned"])
def test_without_a_place_padding_is_weighed_all_the_same(name: str) -> None:
    distribution = family(name)
    batch = replace(problem().batch, action=distribution.sample(stream(2, name)))
    nobody: Any = None
    score = mean_score(distribution, batch.action)
    found = whole_gradient(PolicyAt(distribution, nobody, nobody), nobody, batch, score)
    weight = batch.weight[:, 0] / batch.weight.sum()
    assert not found[:PADDING].any()
    torch.testing.assert_close(found, (weight * batch.advantage).unsqueeze(-1) * score)


def test_smooth_actions_deviate_from_what_they_are_drawn_about() -> None:
    snapshot = problem()
    given = cast("Gaussian", snapshot.start.here)
    batch = replace(snapshot.batch, reference=SmoothGaussian(given.mean - 0.3, given))
    smooth = replace(snapshot, batch=batch, own_reference=True)
    one, other = Pull.of(snapshot, plain(2)), Pull.of(smooth, plain(2))
    torch.testing.assert_close(other.deviation, one.deviation)
    torch.testing.assert_close(other.score, one.score)


def test_effort_is_a_share_of_the_limit_and_not_of_the_scale() -> None:
    """Where the bounds are not the same on both sides one unit of the policy is not the limit."""
    torque = torch.linspace(-10.0, 0.0, 42).view(21, 2, 1)
    rollout = make(TargetWorld(2, 0), horizon=21)[0].collect()["robot"]
    rollout = replace(rollout, telemetry={"torque": torque})
    lopsided = Actuators.of(spec_of(Action("hip", "20 N·m", 0), low=-0.5, high=0.25), 1)
    assert float(lopsided.scale) == 7.5
    found = loads(rollout, make_policy(), lopsided)
    # this way it can give 10 N·m; 40 of 42 are the first not below 95 %
    assert float(found["p95"]) == pytest.approx(float(torque.flatten().abs().sort().values[39]) / 10.0)


def test_who_looks_changes_nothing_and_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensitivity, "sensitivity_pictures", lambda *_: {})
    learner, rollout = trained(None)
    held = [*learner.policy.state_dict().values(), *learner.critic.state_dict().values()]
    held += [
        x
        for x in pytree.tree_leaves([getattr(rollout, f.name) for f in fields(rollout)])
        if isinstance(x, Tensor)
    ]
    before, streams = [x.clone() for x in held], (torch.get_rng_state(), random.getstate())
    for diagnostic in (
        TorqueGradients(1, 64, spec=TargetWorld(8, 0).spec, iterations=1),
        Sensitivity(1, False, 64, spec=TargetWorld(8, 0).spec, iterations=1),
    ):
        assert diagnostic(0, {"robot": learner}, {"robot": rollout})
    assert all(map(torch.equal, held, before))
    assert torch.equal(torch.get_rng_state(), streams[0])
    assert random.getstate() == streams[1]
