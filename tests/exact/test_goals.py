"""What a manager's goals are: in which unit, what of them is remembered, and who draws those that would follow."""

from __future__ import annotations

import functools

import pytest
import torch
from managing import TARGET, Line, collected, collector
from remembering import Echo
from toys import make, make_policy
from two_levels import GOALS, two_levels

from pgrobot.bodies import Gru
from pgrobot.policies.levels import High
from pgrobot.policies.manager_worker import GOAL, TIME_LEFT, Manager
from pgrobot.randomness import stream

GRU = functools.partial(Gru, units=4, hidden=(5,), activation="tanh", sequence=8)


def test_one_of_a_goal_is_a_deviation_of_its_entry() -> None:
    manager = Manager(make_policy(), TARGET)
    assert manager.unit.tolist() == [1.0]
    seen = torch.stack((torch.tensor([1.0, 5.0, 3.0, 3.0]), torch.zeros(4)), -1)
    manager.merge({"policy": seen})
    torch.testing.assert_close(manager.unit, torch.tensor([2.0**0.5]))
    torch.testing.assert_close(manager.wished(torch.tensor([3.0])), torch.tensor([3.0 * 2.0**0.5]))


def test_an_entry_that_never_varies_has_the_least_unit_of_all() -> None:
    manager = Manager(make_policy(), TARGET)
    manager.merge({"policy": torch.full((8, 2), 3.0)})
    torch.testing.assert_close(manager.unit, torch.tensor([1e-4]))


def test_goals_keep_their_unit_where_episodes_are_shorter_than_they() -> None:
    """All of them are drawn where an episode begins, which is always the same place: the steps between tell it."""
    gathered, policy = collector(Line(4, 0, length=3), every=4, horizon=12)
    _, learner = make(Line(4, 0, length=3), policy=policy.manager, minibatch=16, passes=1)
    gathered.collect()
    rollout = gathered.collect()["manager"]
    assert float(rollout.obs["policy"][..., 0].std()) == 0.0
    learner.update(rollout)
    places = rollout.by_step.obs["policy"][..., 0]
    torch.testing.assert_close(policy.manager.unit, places.std(correction=0).view(1))
    assert float(policy.manager.unit) > 0.05
    assert policy.manager.moments.count == places.numel()


def test_a_manager_remembers_what_it_drew_and_nothing_of_the_steps_between() -> None:
    manager, _, policy = collected(above=Echo(1))
    held = torch.where(manager.episode_start.unsqueeze(-1), 0.0, manager.carry)
    following = held + manager.action[..., 1:]
    both = manager.weight[1:] > 0.0
    assert policy.manager.carry_size == 1
    assert int(both.sum()) > 5
    torch.testing.assert_close(manager.carry[1:][both], following[:-1][both])


@pytest.mark.parametrize("seed", [0, 1])
def test_goals_that_would_follow_are_drawn(seed: int) -> None:
    """By the manager as it is, from a stream of their own: the mean over them is what a worker can expect."""
    told = collected(generator=stream(seed, "following"))
    again = collected(generator=stream(seed + 1, "following"))
    over = told[1].next_obs[TIME_LEFT][..., 0] == 1.0
    last = torch.zeros_like(over)
    last[-1] = ~told[1].done[-1]
    assert bool(over[last].all())
    assert bool(last.any())
    ours, others = (found[1].next_obs[GOAL][last] for found in (told, again))
    assert not torch.equal(ours, others)
    assert torch.equal(told[1].reward, again[1].reward), "nothing else is drawn from it"
    unit = told[2].manager.unit
    rows = {name: obs[last] for name, obs in told[0].steps.next_obs.items()}
    with torch.no_grad():
        said, _ = told[2].manager(rows, torch.zeros(len(ours), 0), torch.zeros(len(ours), dtype=torch.bool))
    assert float(((ours * unit - said.mean) / said.std).detach().abs().max()) < 5.0


def test_what_two_levels_remember_is_what_their_networks_do() -> None:
    """A probe reads it: no goal, no time, and nothing that is kept until a goal is drawn."""
    for goal in GOALS.values():
        policy = two_levels(goal, 3, high=High(("policy",), GRU), body=GRU)
        assert policy.memory_size == 8 < policy.carry_size
        obs = {"policy": torch.randn(6, 2, generator=stream(0, "obs"))}
        carry = torch.randn(6, policy.carry_size, generator=stream(0, "carry"))
        starts = torch.ones(6, dtype=torch.bool)
        _, following = policy(obs, carry, starts)
        told = torch.cat(tuple(policy.show(obs, carry, starts).values()), -1)
        _, of_low = policy.low.say(obs, told, carry[:, :4], starts)
        _, of_high = policy.high.say(obs, carry[:, :0], carry[:, 4:8], starts)
        assert torch.equal(following[:, : policy.memory_size], torch.cat((of_low, of_high), -1))


@pytest.mark.parametrize("goal", GOALS)
def test_a_level_that_draws_nothing_has_a_deviation_of_one(goal: str) -> None:
    """Nothing follows of it: whoever divides by a deviation finds what is held at its mean."""
    policy = two_levels(GOALS[goal], 3)
    carry = torch.zeros(6, policy.carry_size)
    low, high, width, *_ = policy.parts
    carry[:, low + high + width] = torch.arange(6.0) % 3
    obs = {"policy": torch.randn(6, 2, generator=stream(0, "obs"))}
    said, _ = policy(obs, carry, torch.zeros(6, dtype=torch.bool))
    idle = torch.arange(6) % 3 > 0
    assert torch.equal(said.std[idle, 1:], torch.ones(4, width))
    assert torch.equal(said.mean[idle, 1:], said.idle[idle])
    torch.testing.assert_close(said.std[~idle, 1:], said.high.std[~idle])
    torch.testing.assert_close(said.std[:, :1], said.low.std)
    assert goal == "reparameterised" or not torch.equal(said.std[~idle, 1:], torch.ones(2, width))
