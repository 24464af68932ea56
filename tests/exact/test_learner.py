"""The learner: identities that hold whatever algorithm, constraint or policy it has."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from toys import ABOVE, TargetWorld, estimated, make, values_of

from pgrobot.baselines import Constant, Controlled
from pgrobot.baselines.baseline import uncontrolled
from pgrobot.batch import BaselineInput, Batch, CriticBatch
from pgrobot.constraints import PID, Constraint, Lagrangian
from pgrobot.estimators import vtrace
from pgrobot.learner import Learner
from pgrobot.objectives import (
    AdaptiveKLPenalty,
    ClippedRatio,
    DecoupledClippedRatio,
    Entropy,
    Likelihood,
    Ratio,
)
from pgrobot.solvers import Linear
from pgrobot.types import Multiplier, Rollout

ON_POLICY = torch.zeros(16, 4)  # the logarithm of every ratio


def collected(seed: int = 0, **world: Any) -> tuple[Rollout, Learner]:
    collector, learner = make(TargetWorld(4, seed, **world))
    return collector.collect()["robot"], learner


def vector(learner: Learner) -> torch.Tensor:
    return torch.cat([value.double().reshape(-1) for value in learner.state_dict()["policy"].values()])


def after_updates(count: int = 3, **changes: Any) -> Learner:
    collector, learner = make(TargetWorld(4, 0), **changes)
    for _ in range(count):
        learner.update(collector.collect()["robot"])
    return learner


def test_truncation_keeps_the_value_of_the_true_successor_and_termination_does_not() -> None:
    """δ = r + γ (1 − terminated) V(true next observation) − V, whatever the auto-reset shows next."""
    rollout, learner = collected(length=5, fatal=0.8)
    assert rollout.terminated.any(), "the world must show both kinds of end"
    assert rollout.truncated.any()
    learner.update(rollout)  # a critic that predicts something
    learner.poser.algorithm.estimator.keywords["lam"] = 0.0
    advantage, _, _ = estimated(learner, rollout, ON_POLICY)
    with torch.no_grad():
        value, successor = learner.critic.value(rollout.obs), learner.critic.value(rollout.next_obs)
    alive = (~rollout.terminated).unsqueeze(-1)
    torch.testing.assert_close(
        advantage, rollout.reward + 0.9 * alive * successor - value, rtol=1e-5, atol=1e-6
    )


def test_the_first_ratio_is_one() -> None:
    """Normalisers are frozen from acting to the end of learning: the policy that learns is the policy that acted.

    With a step size of zero every ratio of every pass is a first one, so the surrogate is the mean of standardised
    advantages, zero.
    """
    collector, learner = make(TargetWorld(4, 0), rate=0.0)
    for done in range(1, 4):
        rollout = collector.collect()["robot"]
        reference, _ = learner.policy(rollout.obs, rollout.carry, rollout.episode_start)
        ratio = torch.exp(reference.log_prob(rollout.action) - rollout.log_prob)
        assert float((ratio - 1).abs().max()) < 1e-6
        metrics = learner.update(rollout)
        assert abs(metrics["objective/surrogate"]) < 1e-6
        assert metrics["policy/kl"] < 1e-12
        after, _ = learner.policy(rollout.obs, rollout.carry, rollout.episode_start)
        assert not torch.equal(after.mean, reference.mean), "otherwise the test above sees nothing"
        for part in (learner.policy, learner.critic):
            assert part.normalizer.moments.count == done * rollout.log_prob.numel()


def test_a_pass_beyond_the_target_kl_is_the_last() -> None:
    stopped, single, free = (
        after_updates(passes=passes, target_kl=target)
        for passes, target in ((5, 1e-9), (1, math.inf), (5, math.inf))
    )
    for part in ("policy", "critic"):
        for name, value in single.state_dict()[part].items():
            assert torch.equal(stopped.state_dict()[part][name], value), f"{part}.{name}"
    assert not torch.equal(vector(free), vector(single))


def test_every_pass_learns_from_advantages_of_the_present_critic(monkeypatch: pytest.MonkeyPatch) -> None:
    rollout, learner = collected()
    estimates: list[tuple[torch.Tensor, ...]] = []
    targets: list[torch.Tensor] = []
    estimate = learner.poser.estimate
    solve_policy, solve_critic = learner.policy_solver.solve, learner.critic_solver.solve

    def noted(*arguments: Any) -> tuple[torch.Tensor, ...]:
        estimates.append(estimate(*arguments))
        return estimates[-1]

    def policy(batch: Batch) -> Any:
        mixed = learner.multiplier.mix(estimates[-1][0]).flatten()
        cost = estimates[-1][0][..., 1:].flatten(0, 1)
        torch.testing.assert_close(batch.advantage, (mixed - mixed.mean()) / mixed.std(correction=0))
        torch.testing.assert_close(batch.cost_advantage, cost - cost.mean(0))
        return solve_policy(batch)

    def critic(batch: CriticBatch) -> Any:
        targets.append(batch.target)
        assert torch.equal(batch.target, estimates[-1][1].flatten(0, 1))
        return solve_critic(batch)

    monkeypatch.setattr(learner.poser, "estimate", noted)
    monkeypatch.setattr(learner.policy_solver, "solve", policy)
    monkeypatch.setattr(learner.critic_solver, "solve", critic)
    learner.update(rollout)
    assert (len(estimates), len(targets)) == (1 + 3, 3), "once for the scale and once per pass"
    assert not torch.equal(targets[0], targets[1]), "the critic has moved since the pass before"
    assert not torch.equal(targets[1], targets[2])


def test_a_ratio_weighs_what_baseline_and_normalisation_have_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the likelihood V-trace's weight comes last: what it multiplies has mean zero and deviation one.

    ``E_μ[π/μ ∇log π b]`` is zero for every ``b``, and ``E_μ[∇log π b]`` is not.
    """
    collector, learner = make(
        TargetWorld(4, 0), terms={"likelihood": Likelihood(1.0)}, minibatch=64, passes=3, baseline=Constant(2)
    )
    bars = {"rho_bar": math.inf, "c_bar": math.inf, "pg_rho_bar": 1.01, "objective_has_ratio": False}
    estimator = functools.partial(vtrace, lam=0.9, **bars)
    learner.poser.algorithm = dataclasses.replace(learner.poser.algorithm, estimator=estimator)
    rollout = collector.collect()["robot"]
    solve, ratios = learner.policy_solver.solve, []

    def check(batch: Batch) -> Any:
        policy, _ = learner.policy(rollout.obs, rollout.carry, rollout.episode_start)
        ratio = (policy.log_prob(rollout.action) - rollout.log_prob).exp().flatten()
        ratios.append(ratio)
        left = batch.advantage / ratio.clamp(max=1.01)
        assert float(left.mean()) == pytest.approx(0.0, abs=1e-5)
        assert float(left.std(correction=0)) == pytest.approx(1.0, abs=1e-5)
        return solve(batch)

    monkeypatch.setattr(learner.policy_solver, "solve", check)
    metrics = learner.update(rollout)
    assert len(ratios) == 3
    assert float(ratios[-1].max()) > 1.01 > float(ratios[-1].min()), "the weights differ, and some are cut"
    share = ratios[-1].sum().square() / (64 * ratios[-1].square().sum())
    assert metrics["estimator/effective_sample_share"] == pytest.approx(float(share), rel=1e-5)


def test_reward_and_costs_have_discounts_of_their_own() -> None:
    """Before its first fit the critic predicts zero: at λ = 1 a target is the discounted sum of its episode's rest."""
    discounted = dataclasses.replace(ABOVE, unit="discounted")
    collector, learner = make(
        TargetWorld(4, 0), constraint=discounted, discounts={"reward": 0.5, "cost": 0.8}
    )
    rollout = collector.collect()["robot"]
    learner.poser.algorithm.estimator.keywords["lam"] = 1.0
    _, target, _ = estimated(learner, rollout, ON_POLICY)
    episodes = rollout.reward.view(
        2, 8, 4, 2
    )  # two whole episodes of eight steps in each of four environments
    weight = torch.stack((0.5 ** torch.arange(8), 0.8 ** torch.arange(8)), dim=-1).view(1, 8, 1, 2)
    sums = (weight * episodes).sum(1)
    torch.testing.assert_close(target.view(2, 8, 4, 2)[:, 0], sums)
    spent = learner.update(rollout)["cost/above/mean"]
    assert spent == pytest.approx(float(sums[..., 1].mean()), rel=1e-5)


def test_an_update_moves_every_parameter_and_nothing_but_the_learner() -> None:
    rollout, learner = collected()
    before, kept = copy.deepcopy(learner.state_dict()), copy.deepcopy(rollout)
    learner.update(rollout)
    learner.update(rollout)  # the critic's hidden layers see a gradient once its zero output layer has moved
    for part in ("policy", "critic"):
        for name, value in learner.state_dict()[part].items():
            if name.endswith(("weight", "bias", "log_std")):
                assert bool((value != before[part][name]).any()), f"{part}.{name} did not move"
    for field in dataclasses.fields(Rollout):
        now, then = getattr(rollout, field.name), getattr(kept, field.name)
        if isinstance(now, torch.Tensor):
            assert torch.equal(now, then)
        elif isinstance(now, dict):
            assert all(torch.equal(now[key], then[key]) for key in now)


def test_the_same_seed_gives_the_same_bits() -> None:
    assert torch.equal(vector(after_updates()), vector(after_updates()))


@pytest.mark.parametrize("decay", [0.0, 0.8])
def test_a_restored_learner_continues_bit_for_bit(decay: float) -> None:
    kept = {"decay": decay, "terms": {"surrogate": DecoupledClippedRatio(1.0, 0.2)}}
    straight_collector, straight = make(TargetWorld(4, 0), **kept)
    collector, learner = make(TargetWorld(4, 0), **kept)
    for _ in range(4):
        expected = straight.update(straight_collector.collect()["robot"])
    for _ in range(2):
        learner.update(collector.collect()["robot"])
    saved = copy.deepcopy((collector.state_dict(), learner.state_dict()))
    collector, learner = make(TargetWorld(4, 77), seed=5, **kept)
    collector.load_state_dict(saved[0])
    learner.load_state_dict(saved[1])
    for _ in range(2):
        metrics = learner.update(collector.collect()["robot"])
    assert metrics == expected
    assert torch.equal(vector(learner), vector(straight))


def test_distances_are_measured_from_the_average_of_what_updates_began_with() -> None:
    """Weights βᵏ / Σβʲ over the vectors of the updates so far; the first update's reference is the policy itself."""
    collector, learner = make(TargetWorld(4, 0), decay=0.8, passes=1, minibatch=64)
    began, told = [], []
    for _ in range(4):
        began.append(learner.policy_vector.vector.clone())
        told.append(learner.update(collector.collect()["robot"])["policy/kl"])
    weights = 0.8 ** torch.arange(3, -1, -1, dtype=torch.float32)
    average, _ = learner.state_dict()["average"]
    torch.testing.assert_close(average, weights @ torch.stack(began) / weights.sum())
    assert told[0] == 0.0
    assert min(told[1:]) > 0.0, "each first step is measured from where the policy has come from"


def test_an_average_moves_what_reads_it_and_nothing_else() -> None:
    decoupled = {"surrogate": DecoupledClippedRatio(1.0, 0.05)}
    assert not torch.equal(
        vector(after_updates(terms=decoupled, decay=0.8)), vector(after_updates(terms=decoupled))
    )
    assert torch.equal(vector(after_updates(decay=0.8)), vector(after_updates()))


@pytest.mark.parametrize(("scale", "tolerance"), [(1e-3, 1e-6), (1e3, 1e-6), (2.0**-10, 0.0), (2.0**10, 0.0)])
def test_the_reward_unit_does_not_matter(scale: float, tolerance: float) -> None:
    """Rewards in another unit give the same updates: advantages and values are normalised by their own deviation.

    A power of two rounds nothing: there they are the same bits.
    """
    rollout, learner = collected(costs=False)
    _, other = collected(costs=False)
    for _ in range(3):
        learner.update(rollout)
        other.update(dataclasses.replace(rollout, reward=rollout.reward * scale))
    torch.testing.assert_close(vector(other), vector(learner), rtol=0, atol=tolerance)


def pricing(kind: type, **gains: float) -> Multiplier:
    return kind((ABOVE,), ("reward", "cost/above"), initial=0.0, maximum=100.0, **gains)


@pytest.mark.parametrize(
    "multiplier",
    [
        lambda: pricing(Lagrangian, optimizer="sgd", learning_rate=0.0),
        lambda: pricing(
            PID, kp=0.0, ki=0.0, kd=0.0, smoothing=0.5, derivative_smoothing=0.5, derivative_delay=2
        ),
    ],
    ids=["lagrangian", "pid"],
)
def test_a_multiplier_that_never_moves_is_its_absence(multiplier: Callable[[], Multiplier]) -> None:
    assert torch.equal(vector(after_updates(multiplier=multiplier())), vector(after_updates()))
    moving = pricing(Lagrangian, optimizer="sgd", learning_rate=5.0)
    assert not torch.equal(vector(after_updates(multiplier=moving)), vector(after_updates()))


def test_an_entropy_term_of_weight_zero_is_its_absence() -> None:
    bare = after_updates(terms={"surrogate": ClippedRatio(1.0, 0.2)})
    null = after_updates(terms={"surrogate": ClippedRatio(1.0, 0.2), "entropy": Entropy(0.0)})
    some = after_updates(terms={"surrogate": ClippedRatio(1.0, 0.2), "entropy": Entropy(0.1)})
    assert torch.equal(vector(null), vector(bare))
    assert not torch.equal(vector(some), vector(bare))


def test_a_weight_that_adapts_is_told_as_the_update_had_it() -> None:
    """Far from its target the KL halves β after each update; a fixed weight is in the config and nowhere else."""
    penalty = AdaptiveKLPenalty(
        weight=4.0, target_kl=1e3, factor=2.0, tolerance=1.5, least=0.01, greatest=9.0
    )
    collector, learner = make(TargetWorld(4, 0), terms={"surrogate": Ratio(1.0), "penalty": penalty})
    told = [learner.update(collector.collect()["robot"]) for _ in range(3)]
    assert [metrics["objective/penalty/weight"] for metrics in told] == [4.0, 2.0, 1.0]
    assert not any("objective/surrogate/weight" in metrics for metrics in told)


def test_a_weight_adapts_to_the_kl_of_the_last_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    collector, learner = make(TargetWorld(4, 0), passes=3)
    solve, adapt = learner.policy_solver.solve, learner.problem.adapt

    def noted(batch: Batch) -> Any:
        report, stop = solve(batch)
        told.append(float(report["policy/kl"]))
        return report, stop

    monkeypatch.setattr(learner.policy_solver, "solve", noted)
    monkeypatch.setattr(learner.problem, "adapt", lambda kl: told.append(kl) or adapt(kl))
    learner.update(collector.collect()["robot"])
    first, _, last, adapted_to = told
    assert adapted_to == last
    assert last > 2.0 * first


def test_the_multiplier_moves_on_this_rollouts_excess() -> None:
    """Every action above 0 costs 1: measured per episode of 8 steps against a budget of 1, priced by ascent."""
    multiplier = pricing(Lagrangian, optimizer="sgd", learning_rate=1.0)
    collector, learner = make(TargetWorld(4, 0), multiplier=multiplier)
    rollout = collector.collect()["robot"]
    metrics = learner.update(rollout)
    whole_episodes = 8 * float(
        rollout.reward[..., 1].mean()
    )  # the rollout holds two whole episodes per environment
    assert metrics["cost/above/mean"] == pytest.approx(whole_episodes, rel=1e-6)
    assert metrics["cost/above/budget"] == 1.0
    size = rollout.reward[..., 0].double().square().mean().sqrt()
    assert metrics["multiplier/above"] == pytest.approx(float(size) * (whole_episodes - 1.0) / 8)


def test_both_rates_go_from_first_to_last_over_the_iterations() -> None:
    collector, learner = make(TargetWorld(4, 0), rate=Linear(1e-2, 0.0), iterations=4)
    told = [learner.update(collector.collect()["robot"]) for _ in range(4)]
    for key in ("policy/learning_rate", "critic/learning_rate"):
        assert [metrics[key] for metrics in told] == pytest.approx([1e-2, 7.5e-3, 5e-3, 2.5e-3]), key


def test_the_critic_is_scaled_by_its_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    collector, learner = make(TargetWorld(4, 0))
    learner.update(collector.collect()["robot"])  # from now on a target is not the advantage
    rollout = collector.collect()["robot"]
    advantage, target, _ = estimated(learner, rollout, ON_POLICY)
    scaled: list[torch.Tensor] = []
    monkeypatch.setattr(learner.critic, "rescale", lambda targets: scaled.append(targets.clone()) or {})
    learner.update(rollout)
    assert torch.equal(scaled[0], target)
    assert not torch.equal(scaled[0], advantage)


def test_a_baseline_sees_what_a_row_weighs() -> None:
    seen: list[BaselineInput] = []

    def baseline(sample: BaselineInput) -> Controlled:
        seen.append(sample)
        return uncontrolled(sample.advantage)

    collector, learner = make(TargetWorld(4, 0), baseline=baseline, state_discount=True, passes=1)
    rollout = collector.collect()["robot"]
    learner.update(rollout)
    torch.testing.assert_close(seen[0].weight, 0.9**rollout.age)
    assert float(seen[0].weight.min()) < 0.5


def test_a_baseline_sees_the_returns_of_all_columns_at_their_price() -> None:
    seen: list[BaselineInput] = []

    def baseline(sample: BaselineInput) -> Controlled:
        seen.append(sample)
        return uncontrolled(sample.advantage)

    priced = pricing(Lagrangian, optimizer="sgd", learning_rate=1.0)
    collector, learner = make(TargetWorld(4, 0), baseline=baseline, multiplier=priced, passes=1)
    learner.update(collector.collect()["robot"])  # from now on both columns have values
    rollout = collector.collect()["robot"]
    values = values_of(learner, rollout)
    advantage, _, _ = learner.poser.estimate(rollout, values, ON_POLICY)
    learner.update(rollout)
    returns = learner.multiplier.mix(advantage + values.now)
    torch.testing.assert_close(seen[1].returns, returns)
    unpriced = learner.multiplier.mix(advantage) + values.now[..., 0]
    assert float((returns - unpriced).abs().max()) > 0.01, "the costs have values too"


def test_what_one_environment_learns_is_compared_with_its_other_episodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sixteen steps of one environment are two episodes of eight, both truncated."""
    collector, learner = make(
        TargetWorld(1, 0), baseline=Constant(2), normalisation="raw", minibatch=16, passes=1
    )
    rollout = collector.collect()["robot"]
    assert rollout.truncated.sum() == 2
    assert not rollout.terminated.any()
    returns = learner.multiplier.mix(estimated(learner, rollout, ON_POLICY[:, :1])[1])
    seen: list[torch.Tensor] = []
    solve = learner.policy_solver.solve

    def noted(batch: Batch) -> Any:
        seen.append(batch.advantage)
        return solve(batch)

    monkeypatch.setattr(learner.policy_solver, "solve", noted)
    learner.update(rollout)
    first, second = returns[:8, 0], returns[8:, 0]
    torch.testing.assert_close(seen[0], torch.cat((first - second.mean(), second - first.mean())))


def test_the_slack_is_what_a_budget_leaves_per_step() -> None:
    """It stands in every row that a solver sees, and is that of the rollout that the row comes from."""
    collector, learner = make(TargetWorld(4, 0))
    solve, seen = learner.policy_solver.solve, []

    def noted(batch: Batch) -> Any:
        seen.append(batch.slack)
        return solve(batch)

    learner.policy_solver.solve = noted  # type: ignore[method-assign]
    for _ in range(2):
        seen.clear()
        metrics = learner.update(collector.collect()["robot"])
        left = (metrics["cost/above/budget"] - metrics["cost/above/mean"]) / 8
        for slack in seen:
            torch.testing.assert_close(slack, torch.full((64, 1), left))


def test_an_episode_beyond_its_limit_counts_like_one_that_costs_in_each_of_its_steps() -> None:
    """As prices have it: else one that falls would weigh a thousandth of one that always speeds."""
    limit = Constraint("above", budget=0.25, unit="probability", limit=0.0)
    collector, learner = make(TargetWorld(4, 0), constraint=limit)
    rollout = collector.collect()["robot"]
    metrics = learner.update(rollout)
    evidence, values = learner.seen(rollout)
    batch = learner.poser.pose(evidence, values).policy
    left = metrics["cost/above/budget"] - metrics["cost/above/mean"]
    assert abs(left) > 0.1
    torch.testing.assert_close(batch.slack, torch.full((64, 1), left))
    cost = learner.poser.estimate(rollout, values, ON_POLICY).advantage[..., 1:].flatten(0, 1)
    torch.testing.assert_close(batch.cost_advantage, 8.0 * (cost - cost.mean(0)))


def test_a_budget_is_measured_at_the_age_of_the_running_episodes() -> None:
    """Half an episode per rollout: the second shows steps 4 to 7, and the other four are taken to cost as much."""
    collector, learner = make(TargetWorld(4, 0), horizon=4, minibatch=16)
    learner.update(collector.collect()["robot"])
    rollout = collector.collect()["robot"]
    spent = learner.update(rollout)["cost/above/mean"]
    assert spent == pytest.approx(8 * float(rollout.reward[..., 1].mean()), rel=1e-6)


def test_an_episode_that_has_exceeded_its_limit_remembers_it_in_the_next_rollout() -> None:
    once = dataclasses.replace(ABOVE, unit="probability", limit=0.0)
    collector, learner = make(TargetWorld(4, 0, length=16), horizon=5, minibatch=20, constraint=once)
    first, second = (collector.collect()["robot"] for _ in range(2))
    assert first.reward[..., 1].sum() == 4, "every episode exceeds, once"
    assert second.reward[..., 1].sum() == 0
    assert learner.update(second)["cost/above/mean"] == 1.0


def test_smallest_sizes() -> None:
    """N = 1, T = 1, K = 0."""
    collector, learner = make(TargetWorld(1, 0, costs=False), horizon=1, minibatch=1)
    for _ in range(3):
        metrics = learner.update(collector.collect()["robot"])
    assert all(math.isfinite(value) for value in metrics.values())


def test_explained_variance_is_the_share_that_the_critic_predicted_before_the_update() -> None:
    rollout, learner = collected(costs=False, fatal=-2.0)
    assert rollout.terminated.all(), "every step is an episode: its target is its reward"
    first = learner.update(rollout)["critic/explained_variance/reward"]
    assert first == pytest.approx(0.0, abs=1e-5), "zero output explains nothing"
    for _ in range(15):
        learner.update(rollout)
    reward = rollout.reward[..., 0]
    left = reward - learner.critic.value(rollout.obs)[..., 0].detach()
    explained = learner.update(rollout)["critic/explained_variance/reward"]
    assert explained == pytest.approx(1 - float(left.var() / reward.var()), abs=1e-5)
    assert 0.01 < explained < 1.0


def test_a_critic_of_a_column_without_values_predicts_nothing() -> None:
    rollout, learner = collected(costs=False)
    learner.update(dataclasses.replace(rollout, reward=torch.zeros_like(rollout.reward)))
    assert float(learner.critic.value(rollout.obs).abs().max()) == 0.0


def test_one_core_and_two_give_the_same_bits() -> None:
    assert torch.equal(vector(after_updates(cores=2)), vector(after_updates(cores=1)))


def test_a_policy_that_fails_leaves_no_fit_behind() -> None:
    """The critic's fit ends before the error is seen, so nothing moves behind a rollback."""
    rollout, _ = collected()
    _, learner = make(TargetWorld(4, 0), cores=2)

    def fail(rows: object) -> None:
        raise RuntimeError("no solution")

    learner.policy_solver.solve = fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="no solution"):
        learner.update(rollout)
    after = copy.deepcopy(learner.state_dict()["critic"])
    time.sleep(0.05)
    assert all(torch.equal(value, after[name]) for name, value in learner.state_dict()["critic"].items())
