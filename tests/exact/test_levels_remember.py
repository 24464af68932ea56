"""What two levels keep from step to step: a memory and a normaliser each, and nothing of former episodes."""

from __future__ import annotations

import functools

import pytest
import torch
from two_levels import GOALS, two_levels

from pgrobot.bodies import Gru
from pgrobot.policies.levels import High

EVERY = 3
GRU = functools.partial(Gru, units=4, hidden=(5,), activation="tanh", sequence=8)


def obs(seed: int, rows: int = 6) -> dict[str, torch.Tensor]:
    return {"policy": torch.randn(rows, 2, generator=torch.Generator().manual_seed(seed))}


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("age", [0.0, 1.0, 2.0])
def test_an_episode_begins_as_the_first_one_did(goal: str, age: float) -> None:
    """Whatever was remembered before it: the goal that was held, and how long."""
    policy = two_levels(GOALS[goal], EVERY, high=High(("policy",), GRU), body=GRU)
    nothing = torch.zeros(6, policy.carry_size)
    former = torch.randn(nothing.shape, generator=torch.Generator().manual_seed(3))
    low, high, width, *_ = policy.parts
    former[:, low + high + width] = age
    starts = torch.ones(6, dtype=torch.bool)
    (ours, following), (first, wanted) = (policy(obs(1), carry, starts) for carry in (former, nothing))
    action = first.sample(torch.Generator().manual_seed(0))
    assert torch.equal(ours.log_prob(action), first.log_prob(action))
    assert torch.equal(ours.mean, first.mean)
    assert torch.equal(policy.remember(following, action), policy.remember(wanted, action))


def test_a_high_level_remembers_what_it_saw() -> None:
    policy = two_levels(GOALS["drawn"], EVERY, high=High(("policy",), GRU))
    go_on = torch.zeros(6, dtype=torch.bool)
    low, high, *_ = policy.parts
    assert (low, high) == (0, 4)
    carry = torch.randn(6, policy.carry_size, generator=torch.Generator().manual_seed(2))
    _, following = policy(obs(1), carry, go_on)
    alone = policy.high.say(obs(1), carry[:, :0], carry[:, :high], go_on)[1]
    assert alone.abs().min() > 0.0
    assert torch.equal(following[:, :high], alone)
    assert torch.equal(policy.remember(following, torch.zeros(6, policy.action_size))[:, :high], alone)


def test_both_levels_normalise_what_they_see() -> None:
    policy = two_levels(GOALS["drawn"], EVERY)
    seen = {"policy": torch.tensor([[1.0, -2.0], [3.0, 4.0]])}
    policy.merge(seen)
    for level in (policy.low, policy.high):
        rows = level.normalizer(seen["policy"])
        torch.testing.assert_close(rows.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
