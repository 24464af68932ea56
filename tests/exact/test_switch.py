"""A learnt switch: what is drawn, enumerated; a switch that never fires is the clock; when goals end."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from small_levels import LEARNT
from toys import TargetWorld, make
from two_levels import GOALS, two_levels

from pgrobot.bodies import Gru
from pgrobot.distributions import Gated, MultiCategorical
from pgrobot.policies import HierarchicalPolicy
from pgrobot.policies.levels import Clock, High
from pgrobot.randomness import stream

EVERY = 3


def certain(goal: str, fires: bool) -> HierarchicalPolicy:
    """A policy whose switch does, or does not, for certain."""
    policy = two_levels(GOALS[goal], EVERY, switch=LEARNT)
    with torch.no_grad():
        policy.switch.output.weight.zero_()  # type: ignore[attr-defined]
        policy.switch.output.bias.copy_(torch.tensor([0.0, 200.0 if fires else -200.0]))  # type: ignore[attr-defined]
    return policy


def test_probabilities_entropy_and_divergence_are_those_of_what_is_drawn() -> None:
    """Enumerated: a switch and an option, where one is due and where it is asked."""
    draw = functools.partial(torch.randn, generator=stream(1, "gated"), dtype=torch.float64)
    due, idle = torch.tensor([1.0, 0.0, 0.0]).double(), torch.tensor([[0.0], [2.0], [1.0]]).double()
    one, other = (
        Gated(MultiCategorical(draw(3, 1, 2)), MultiCategorical(draw(3, 1, 4)), due, idle) for _ in range(2)
    )
    for row in range(3):
        drawn = [(z, 1.0) for z in range(4)] + ([] if due[row] else [(float(idle[row]), 0.0)])
        table = torch.tensor(drawn, dtype=torch.float64)
        log_p, log_q = (d.log_prob(table.unsqueeze(1).expand(-1, 3, -1))[:, row] for d in (one, other))
        p = log_p.exp()
        assert float(p.sum()) == pytest.approx(1.0, abs=1e-12)
        torch.testing.assert_close(one.entropy()[row], -(p * log_p).sum())
        torch.testing.assert_close(one.kl(other)[row], (p * (log_p - log_q)).sum())
        torch.testing.assert_close(one.mean[row], p @ table)
        deviation = (p @ (table - p @ table).square()).sqrt()
        torch.testing.assert_close(one.std[row, 0], deviation[0])
        torch.testing.assert_close(one.std[row, 1], torch.ones(()).double() if due[row] else deviation[1])
    samples = torch.stack([one.sample(stream(seed, "drawn")) for seed in range(300)])
    assert bool((samples[:, 0, 1] == 1.0).all())
    kept = samples[:, 1:, 1] == 0.0
    assert torch.equal(samples[:, 1:, 0][kept], idle[1:, 0].expand(300, 2)[kept])
    torch.testing.assert_close(samples[:, :, 1].mean(0), one.probability, atol=0.1, rtol=0)
    assert bool((one.deterministic[:, 1] == ((one.probability > 0.5) | (due > 0.0))).all())


@pytest.mark.parametrize("goal", list(GOALS))
def test_a_switch_that_never_fires_is_the_clock(goal: str) -> None:
    """Of the same levels along the same steps: what is drawn, how likely it is, what is remembered."""
    learnt, clock = certain(goal, fires=False), two_levels(GOALS[goal], EVERY, switch=Clock)
    for level in ("low", "high"):
        getattr(clock, level).load_state_dict(getattr(learnt, level).state_dict())
    collector, _ = make(TargetWorld(4, 0, length=5, fatal=0.9), policy=learnt)
    collector.collect()
    rollout = collector.collect()["robot"]
    with torch.no_grad():
        said, carry = learnt(rollout.obs, rollout.carry, rollout.episode_start)
        same, same_carry = clock(rollout.obs, rollout.carry, rollout.episode_start)
    action, fired = rollout.action[..., :-1], rollout.action[..., -1]
    assert torch.equal(fired, same.switch)
    assert torch.equal(said.log_prob(rollout.action), same.log_prob(action))
    assert torch.equal(said.entropy(), same.entropy())
    assert torch.equal(said.mean[..., :1], same.mean[..., :1])
    assert torch.equal(said.deterministic[..., :-1], same.deterministic)
    assert torch.equal(learnt.remember(carry, rollout.action), clock.remember(same_carry, action))


@pytest.mark.parametrize("goal", list(GOALS))
def test_a_goal_lasts_until_the_switch_fires_or_its_time_is_over(goal: str) -> None:
    """By a replay of what was drawn; and every goal that was drawn acts from the next step on."""
    policy = two_levels(GOALS[goal], EVERY, switch=LEARNT)
    collector, learner = make(TargetWorld(4, 0, length=7, fatal=0.9), policy=policy, minibatch=64)
    collector.collect()
    age = collector.carry.split(policy.parts, -1)[3][:, 0]
    rollout = collector.collect()["robot"]
    held = rollout.carry.split(policy.parts, -1)[2]
    lasted: set[float] = set()
    for t in range(16):
        age = torch.where(rollout.episode_start[t], 0.0, age)
        fired = rollout.action[t, :, -1] > 0.0
        assert bool(fired[age == 0.0].all())
        if t < 15:
            kept = ~fired & ~rollout.done[t] & ~rollout.episode_start[t]
            assert torch.equal(held[t + 1][kept], held[t][kept])
            if goal == "drawn":
                assert torch.equal(held[t + 1][fired], rollout.action[t, fired, 1:3])
        lasted |= set(age[fired].tolist())
        age = torch.where(fired, 1.0, age + 1.0) % EVERY
    assert lasted == {0.0, 1.0, 2.0}
    batch = learner.pose(rollout).policy
    said = learner.problem.distribution(learner.policy_vector.vector, batch).log_prob(batch.action)
    torch.testing.assert_close(said, batch.log_prob, rtol=0, atol=1e-5)
    assert all(map(math.isfinite, learner.update(rollout).values()))


def test_a_switch_remembers_and_normalises_what_it_sees() -> None:
    gru = functools.partial(Gru, units=4, hidden=(5,), activation="tanh", sequence=8)
    policy = two_levels(GOALS["drawn"], EVERY, switch=LEARNT, high=High(("policy",), gru))
    assert policy.parts[:2] == (0, 8)
    obs = {"policy": torch.tensor([[1.0, -2.0], [3.0, 4.0]])}
    carry, go_on = (
        torch.randn(2, policy.carry_size, generator=stream(2, "carry")),
        torch.zeros(2, dtype=torch.bool),
    )
    told = torch.cat(tuple(policy.show(obs, carry, go_on).values()), -1)
    switch = policy.switch
    _, alone = switch.say(obs, told, carry[:, 4:8], go_on)  # type: ignore[attr-defined]
    assert torch.equal(policy(obs, carry, go_on)[1][:, 4:8], alone)
    policy.merge(obs)
    rows = switch.normalizer(obs["policy"])  # type: ignore[attr-defined]
    torch.testing.assert_close(rows.mean(0), torch.zeros(2), atol=1e-5, rtol=0)


def test_it_fires_at_first_as_often_as_it_is_told() -> None:
    policy = two_levels(GOALS["options"], EVERY)
    high = policy.high
    made = LEARNT(
        reads=high.reads,
        told=policy.told,
        body=policy.body,
        normalizer=high.normalizer,
        generator=stream(0, "switch"),
    )
    assert float(made.output.bias.softmax(-1)[1].detach()) == pytest.approx(0.3, abs=1e-6)
