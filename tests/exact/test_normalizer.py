"""Running statistics against the statistics of everything at once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from toys import TargetWorld, make, make_critic

from pgrobot.batch import CriticBatch
from pgrobot.critics import Critic
from pgrobot.normalizer import ColumnScaler, ObservationNormalizer, RunningMoments
from pgrobot.solvers import SGD, Adam, Constant, CriticProblem, FirstOrderSolver, FlatParameters, RMSprop
from pgrobot.types import Observation


def test_merging_parts_equals_the_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    data = 100.0 + 3.0 * torch.randn(1000, 4, generator=generator, dtype=torch.float64)
    moments = RunningMoments(4)
    for part in (data[:1], data[1:10], data[10:700].view(69, 10, 4), data[700:]):
        moments.merge(part)
    torch.testing.assert_close(moments.mean, data.mean(0), rtol=1e-12, atol=0)
    torch.testing.assert_close(moments.variance, data.var(0, correction=0), rtol=1e-10, atol=0)
    assert float(moments.count) == 1000


def test_normalised_data_is_standard_and_clipped() -> None:
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(5000, 3, generator=generator) * torch.tensor([1e-3, 1.0, 1e3]) + 7.0
    normalizer = ObservationNormalizer(3, clip=2.5)
    assert torch.equal(normalizer(data), data.clamp(-2.5, 2.5)), "the identity before anything was merged"
    normalizer.merge(data)
    out = ObservationNormalizer(3, clip=1e9)
    out.load_state_dict(normalizer.state_dict())
    torch.testing.assert_close(out(data).mean(0), torch.zeros(3), rtol=0, atol=1e-3)
    torch.testing.assert_close(out(data).std(0), torch.ones(3), rtol=1e-3, atol=0)
    assert float(normalizer(data).abs().max()) == 2.5


def test_a_constant_feature_stays_finite() -> None:
    normalizer = ObservationNormalizer(1, clip=10.0)
    normalizer.merge(torch.full((10, 1), 5.0))
    assert float(normalizer(torch.full((1, 1), 5.0))) == 0.0
    assert torch.isfinite(normalizer(torch.full((1, 1), 6.0))).all()


def test_column_scaler_divides_by_the_deviation_and_keeps_constant_columns() -> None:
    scaler = ColumnScaler(3)
    returns = torch.tensor([[1.0, 0.0, 5.0], [5.0, 0.0, 5.0]])
    factor = scaler.merge(returns)
    torch.testing.assert_close(scaler.scale, torch.tensor([2.0, 1.0, 1.0]))
    torch.testing.assert_close(factor, torch.tensor([0.5, 1.0, 1.0]))


def test_rescaling_keeps_every_prediction() -> None:
    """The output layer absorbs a new scale: values are the same before and after (PopArt)."""
    critic = make_critic(("reward", "cost/a"))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    obs = {"policy": torch.randn(50, 2, generator=generator)}
    with torch.no_grad():
        before = critic.value(obs)
        critic.rescale(torch.randn(500, 2, generator=generator) * torch.tensor([100.0, 0.01]))
        torch.testing.assert_close(critic.value(obs), before, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(critic.scale, torch.tensor([100.0, 0.01]), rtol=0.1, atol=0)


def test_a_bounded_memory_is_an_exponential_average_of_merges() -> None:
    """Each merge of n rows fades what was before by 1 − n/M once M rows were seen; an infinite one changes no bit."""
    generator = torch.Generator().manual_seed(0)
    parts = torch.randn(12, 50, 2, generator=generator, dtype=torch.float64) + torch.arange(12.0).view(
        12, 1, 1
    )
    moments, whole, plain = RunningMoments(2, 200.0), RunningMoments(2, math.inf), RunningMoments(2)
    weight = torch.zeros(12, dtype=torch.float64)
    for index, part in enumerate(parts):
        for one in (moments, whole, plain):
            one.merge(part)
        weight[:index] *= min(1.0, 150.0 / (50.0 * max(index, 1)) if index < 4 else 0.75)
        weight[index] = 50.0
    share = (weight / weight.sum()).view(12, 1, 1) / 50.0
    mean = (share * parts).sum((0, 1))
    torch.testing.assert_close(moments.mean, mean, rtol=1e-12, atol=0)
    torch.testing.assert_close(moments.variance, (share * (parts - mean).square()).sum((0, 1)))
    assert float(moments.count) == 200.0
    for name, value in plain.state_dict().items():
        assert torch.equal(whole.state_dict()[name], value)
    latest = RunningMoments(2, 10.0)
    for part in parts:
        latest.merge(part)
    torch.testing.assert_close(latest.mean, parts[-1].mean(0))
    torch.testing.assert_close(latest.variance, parts[-1].var(0, correction=0))


@pytest.mark.parametrize(
    ("memory", "up", "down"), [(math.inf, (60.0, 80.0), (50.0, 80.0)), (1e3, (95.0, 101.0), (0.9, 1.2))]
)
def test_rewards_that_change_their_unit_midway_are_forgotten(
    memory: float, up: tuple[float, float], down: tuple[float, float]
) -> None:
    """Rewards times 100, and back: with bounded memory the scale follows both ways."""
    scaler = ColumnScaler(1, memory)
    generator = torch.Generator().manual_seed(0)
    for size, merges in ((1.0, 40), (100.0, 60), (1.0, 130)):
        for _ in range(merges):
            scaler.merge(size * torch.randn(100, 1, generator=generator))
        if size == 100.0:
            assert up[0] < float(scaler.scale) < up[1]
    assert down[0] < float(scaler.scale) < down[1]


def critic_solver(critic: Critic, optimizer: Any) -> tuple[FlatParameters, FirstOrderSolver]:
    parameters = FlatParameters(critic)
    return parameters, FirstOrderSolver(
        parameters.vector, CriticProblem(critic, parameters), {"one": optimizer}, Constant(2.0**-6), 8, 1, math.inf,
        "norm", compile_steps=False, generator=torch.Generator().manual_seed(0),
    )  # fmt: skip


def test_a_change_of_unit_changes_no_step_of_gradient_descent() -> None:
    """One output layer, momentum, units that are powers of two: the same predictions, bit for bit, on and on."""
    generator = torch.Generator().manual_seed(0)
    obs = {"policy": torch.randn(32, 2, generator=generator)}
    target = torch.randn(32, 2, generator=generator)
    values = []
    for change in (False, True):
        critic = make_critic(("reward", "cost/a"), hidden=())
        parameters, solver = critic_solver(critic, SGD(0.9))
        for index in range(4):
            if change and index == 2:
                factor = torch.tensor([2.0**-3, 2.0**2])
                critic.scaler.scale.div_(factor)
                critic.scaler.merge = lambda _, factor=factor: factor  # type: ignore[method-assign]
                solver.rescale(parameters.spread(critic.rescale(target)))
            solver.solve(CriticBatch.of_rows(obs, target))
        with torch.no_grad():
            values.append(critic.value(obs))
    assert torch.equal(*values)


@pytest.mark.parametrize("optimizer", [Adam(0.9, 0.999, 1e-8), RMSprop(0.99, 1e-8, "outside", 0.0), SGD(0.9)])
def test_moments_follow_the_unit_of_their_gradient(optimizer: Any) -> None:
    """Gradients in one unit, then rescaled: what the same in the other unit leave, and the same next steps."""
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(8, 6, generator=generator)
    factor = torch.tensor([0.25, 0.25, 0.25, 8.0, 8.0, 1.0])
    start, rate = torch.zeros(6), torch.tensor(0.125)
    changed, always = optimizer.initial(start), optimizer.initial(start)
    for gradient in gradients[:4]:
        _, changed = optimizer.step(gradient, changed, start, rate)
        _, always = optimizer.step(factor * gradient, always, start, rate)
    changed = optimizer.rescale(changed, factor)
    for one, other in zip(changed, always, strict=True):
        assert torch.equal(one, other)
    for gradient in gradients[4:]:
        one, changed = optimizer.step(factor * gradient, changed, start, rate)
        other, always = optimizer.step(factor * gradient, always, start, rate)
        assert torch.equal(one, other)


def test_a_learner_rescales_the_moments_of_the_critics_output_and_of_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collector, learner = make(TargetWorld(4, 0))
    learner.update(collector.collect()["robot"])
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(learner.critic_solver, "rescale", seen.append)
    before = learner.critic.scale.clone()
    learner.update(collector.collect()["robot"])
    factor = before / learner.critic.scale
    where = learner.critic_vector.slices
    assert bool((factor != 1.0).any())
    assert torch.equal(seen[0][where["output.bias"]], factor)
    assert torch.equal(seen[0][where["output.weight"]], factor.repeat_interleave(16))
    assert bool((seen[0][: where["output.weight"].start] == 1.0).all())


def test_the_normalisers_share_of_the_policys_way_is_told() -> None:
    """On so few steps it is the whole rollout's KL from the policy before the merge to the one after it."""
    collector, learner = make(TargetWorld(4, 0))
    for _ in range(2):
        rollout = collector.collect()["robot"]
        arguments = (rollout.obs, rollout.carry, rollout.episode_start)
        normaliser = {name: value.clone() for name, value in learner.policy.normalizer.state_dict().items()}
        metrics = learner.update(rollout)
        with torch.no_grad():
            after, _ = learner.policy(*arguments)
            merged = {name: value.clone() for name, value in learner.policy.normalizer.state_dict().items()}
            learner.policy.normalizer.load_state_dict(normaliser)
            before, _ = learner.policy(*arguments)
            learner.policy.normalizer.load_state_dict(merged)
        assert metrics["policy/kl_normalizer"] == pytest.approx(float(before.kl(after).mean()), rel=1e-5)
        assert metrics["policy/kl_normalizer"] > 0.0


class Numbered(TargetWorld):
    """Every environment sees its number."""

    def _observe(self) -> Observation:
        return {"policy": super()._observe()["policy"] * [0.0, 1.0] + np.arange(8)[:, None] * [1.0, 0.0]}


def test_that_share_is_looked_at_in_all_environments() -> None:
    collector, learner = make(Numbered(8, 0), horizon=256, minibatch=256)
    seen: list[set[float]] = []
    rollout = collector.collect()["robot"]
    learner.policy.register_forward_pre_hook(
        lambda _, arguments: seen.append(set(arguments[0]["policy"][..., 0].flatten().tolist()))
    )
    learner.update(rollout)
    assert seen[-2:] == [set(map(float, range(8)))] * 2
