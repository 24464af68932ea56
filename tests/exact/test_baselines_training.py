"""Baselines in training: null values, one scale for both halves, every distribution, a value of state and time."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import grad_and_value
from torch.utils import _pytree as pytree
from toys import BASELINES, TargetWorld, make, make_critic

from pgrobot.baselines import Baseline, Controlled, Projection, Value
from pgrobot.batch import BaselineInput, Batch
from pgrobot.control_variates import expected_features, features
from pgrobot.critics import NetworkCritic
from pgrobot.distributions import (
    Beta,
    Binned,
    Distribution,
    FullCovarianceGaussian,
    Gaussian,
    SmoothGaussian,
    SquashedGaussian,
)
from pgrobot.objectives import ClippedRatio, ControlVariate, Entropy, Objective
from pgrobot.solvers import FlatParameters, PolicyProblem

Terms = dict[str, Objective]
PPO: Terms = {"surrogate": ClippedRatio(1.0, 0.2), "entropy": Entropy(0.01)}


def learnt(baseline: Baseline, terms: Terms, **changes: Any) -> Tensor:
    collector, learner = make(TargetWorld(4, 0), baseline=baseline, terms=terms, **changes)
    for _ in range(3):
        learner.update(collector.collect()["robot"])
    return torch.cat([value.double().reshape(-1) for value in learner.state_dict()["policy"].values()])


def test_a_control_of_no_width_changes_no_bit() -> None:
    with_term = {"control": ControlVariate(1.0), **PPO}
    assert torch.equal(learnt(Value(), with_term), learnt(Value(), PPO))


def test_a_control_of_no_width_has_no_value_and_no_gradient() -> None:
    collector, learner = make(TargetWorld(4, 0))
    rollout = collector.collect()["robot"]
    reference, _ = learner.policy(rollout.obs, rollout.carry, rollout.episode_start)
    batch = Batch(
        obs=rollout.obs,
        carry=rollout.carry,
        episode_start=rollout.episode_start,
        action=rollout.action,
        log_prob=rollout.log_prob,
        reference=pytree.tree_map(torch.detach, reference),
        advantage=rollout.reward[..., 0],
        cost_advantage=rollout.reward[..., 1:],
        slack=torch.zeros_like(rollout.reward[..., 1:]),
        control=rollout.action[..., :0],
        weight=rollout.action[..., :0],
    )
    parameters = FlatParameters(learner.policy)
    problem = PolicyProblem(learner.policy, parameters, {"control": ControlVariate(1.0)})
    gradient, (loss, _) = grad_and_value(lambda v: problem.loss(v, batch), has_aux=True)(parameters.vector)
    assert float(loss) == 0.0
    assert bool((gradient == 0).all())


@pytest.mark.parametrize("name", BASELINES)
def test_training_with_every_baseline(name: str) -> None:
    terms = {"control": ControlVariate(1.0), **PPO}
    found = learnt(BASELINES[name], terms)
    assert bool(found.isfinite().all())
    assert torch.equal(found, learnt(BASELINES[name], terms)), "the same every time"
    if name != "value":
        assert not torch.equal(found, learnt(Value(), terms))


@pytest.mark.parametrize("normalisation", ["standardised", "centred", "raw"])
@pytest.mark.parametrize("state_discount", [False, True])
def test_residual_and_correction_share_one_scale(
    normalisation: str, state_discount: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector, learner = make(
        TargetWorld(4, 0),
        baseline=Projection("quadratic", 1, 0.1, 2),
        terms={"control": ControlVariate(1.0), **PPO},
        normalisation=normalisation,
        state_discount=state_discount,
        passes=1,
    )
    seen: dict[str, Any] = {}
    baseline, solve = learner.poser.algorithm.baseline, learner.policy_solver.solve

    def noted(sample: BaselineInput) -> Controlled:
        seen["age"] = sample.age
        seen["left"] = baseline(sample)
        return seen["left"]

    def solving(batch: Batch) -> Any:
        seen["batch"] = batch
        return solve(batch)

    learner.poser.algorithm = dataclasses.replace(learner.poser.algorithm, baseline=noted)
    monkeypatch.setattr(learner.policy_solver, "solve", solving)
    learner.update(collector.collect()["robot"])
    left, batch = seen["left"], seen["batch"]
    weight = 0.9 ** seen["age"].flatten() if state_discount else torch.ones(())
    unweighted = batch.advantage / weight
    raw = left.advantage.flatten()
    slope = (unweighted - unweighted.mean()) @ (raw - raw.mean()) / (raw - raw.mean()).square().sum()
    torch.testing.assert_close(
        batch.control, left.control.flatten(0, 1) * slope * weight.unsqueeze(-1), rtol=1e-4, atol=1e-6
    )
    assert float(batch.control.abs().max()) > 0
    if normalisation != "standardised":
        assert float(slope) == pytest.approx(1.0, rel=1e-5)


LOGITS = torch.tensor([[[0.3, -1.0, 0.2, 0.1], [1.0, 0.0, 0.5, -2.0]]])
DISTRIBUTIONS: dict[str, Distribution] = {
    "gaussian": Gaussian(torch.tensor([[0.2, -0.4]]), torch.tensor([[-0.3, 0.1]])),
    "squashed": SquashedGaussian(Gaussian(torch.tensor([[0.2, -0.4]]), torch.tensor([[-0.3, 0.1]]))),
    "full": FullCovarianceGaussian(torch.tensor([[0.2, -0.4]]), torch.tensor([[[0.5, 0.0], [-0.4, 0.3]]])),
    "smooth": SmoothGaussian(
        torch.tensor([[0.7, 0.7]]), Gaussian(torch.tensor([[0.2, -0.4]]), torch.tensor([[-0.3, 0.1]]))
    ),
    "beta": Beta(torch.tensor([[1.5, 3.0]]), torch.tensor([[2.0, 1.2]])),
    "binned": Binned(LOGITS),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_expectation_is_that_of_what_is_drawn(name: str) -> None:
    """For every distribution, of features centred and scaled by another."""
    rows = 200_000
    distribution = DISTRIBUTIONS[name]
    many: Distribution = pytree.tree_map(lambda x: x.expand(rows, *x.shape[1:]), distribution)
    reference = Gaussian(torch.tensor([[0.1, -0.2]]), torch.tensor([[0.2, -0.5]]))
    drawn = features(many.sample(torch.Generator().manual_seed(0)), reference).double()
    exact = expected_features(distribution, reference, 4)[0].double()
    deviation = drawn.std(0) / rows**0.5
    assert float(((drawn.mean(0) - exact) / deviation).abs().max()) < 4.0
    assert torch.equal(expected_features(distribution, reference, 1)[0], exact[:1].float())


# ---- a value of state and time --------------------------------------------------------------------------------------


def critic(time: bool) -> NetworkCritic:
    groups = ("policy", "time") if time else ("policy",)
    return make_critic(("reward",), {"policy": 2, "time": 1}, groups)


def test_a_rollout_tells_how_much_of_the_time_limit_has_passed() -> None:
    """The world shows the same in its second feature; it ends episodes both ways."""
    collector, _ = make(TargetWorld(4, 0, length=5, fatal=0.8))
    for _ in range(2):
        rollout = collector.collect()["robot"]
        assert rollout.terminated.any()
        assert rollout.truncated.any()
        torch.testing.assert_close(rollout.obs["time"][..., 0], rollout.obs["policy"][..., 1])
        torch.testing.assert_close(rollout.next_obs["time"][..., 0], rollout.next_obs["policy"][..., 1])
        assert bool((rollout.next_obs["time"][rollout.truncated] == 1.0).all())


def test_a_critic_reads_the_time_only_if_it_is_told_to() -> None:
    obs = {"policy": torch.randn(6, 2), "time": torch.linspace(0, 1, 6).unsqueeze(-1)}
    later = obs | {"time": obs["time"] + 0.1}
    blind, sighted = critic(time=False), critic(time=True)
    for made in (blind, sighted):
        torch.nn.init.normal_(made.output.weight)
        made.merge(obs)
    assert torch.equal(blind.value(obs), blind.value({"policy": obs["policy"]}))
    assert torch.equal(blind.value(obs), blind.value(later))
    assert not torch.allclose(sighted.value(obs), sighted.value(later))
    torch.testing.assert_close(sighted.normalizer.moments.mean[2], torch.tensor(0.5).double())


def test_a_checkpoint_of_one_does_not_load_into_the_other() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        critic(time=True).load_state_dict(critic(time=False).state_dict())


def test_a_correction_for_an_older_policy_weighs_what_was_earned_and_not_the_expectation() -> None:
    """What the control variate adds back is an expectation under the policy itself: no ratio belongs to it."""
    options = {"baseline": Projection("linear", 1, 0.1, 2), "normalisation": "raw"}
    collector, learner = make(TargetWorld(4, 0), terms={"control": ControlVariate(1.0), **PPO}, **options)
    rollout = collector.collect()["robot"]
    usual = learner.poser.algorithm
    batches = []
    for weight in (1.0, 3.0):

        def weighing(given: Any, weight: float = weight) -> Any:
            estimate = usual.estimator(given)
            return estimate._replace(weight=weight * estimate.weight)

        learner.poser.algorithm = dataclasses.replace(usual, estimator=weighing)
        batches.append(learner.pose(rollout).policy)
    plain, weighed = batches
    assert float(plain.control.abs().max()) > 1e-3
    assert torch.equal(weighed.control, plain.control)
    torch.testing.assert_close(weighed.advantage, 3.0 * plain.advantage)
