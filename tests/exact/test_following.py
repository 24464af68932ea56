"""What follows a rollout: columns that know of no end go on with it where an episode ends in the last step."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import pytest
import torch
from demonstrated import make_demonstrations, make_spec
from managing import collector as collector_of_two
from managing import uneven
from torch import Tensor
from toys import POLICY, TargetWorld, make, make_critic, make_policy
from two_levels import GOALS, two_levels

from pgrobot.bodies import Gru
from pgrobot.collectors.demonstrations import DemonstrationCollector
from pgrobot.constraints import CostColumns
from pgrobot.critics import Critic, NetworkCritic
from pgrobot.estimators import gae
from pgrobot.groups import GOAL
from pgrobot.past import STATE, completed
from pgrobot.policies.manager_worker import GOAL as WISHED
from pgrobot.policies.manager_worker import TIME_LEFT
from pgrobot.randomness import stream
from pgrobot.replay.window import Experience, side_by_side
from pgrobot.retrospect import valued
from pgrobot.types import Rollout

COLUMNS = ("reward", "cost/above", "bonus/novelty")


def with_novelty(rollout: Rollout) -> Rollout:
    return rollout.with_column("bonus/novelty", rollout.obs["policy"][..., 0].abs(), episodic=False)


def critic_of(kind: str) -> Critic:
    """A critic that has something to say of every column."""
    gru = functools.partial(Gru, units=3, hidden=(5,), activation="tanh", sequence=4)
    made = (
        NetworkCritic(POLICY, COLUMNS, ("policy",), gru, 10.0, stream(0, "critic"))
        if kind == "gru"
        else make_critic(COLUMNS)
    )
    with torch.no_grad():
        made.output.weight.copy_(torch.randn(made.output.weight.shape, generator=stream(1, "output")))
    return made


def collected(horizon: int, count: int, fatal: float = 0.8) -> list[Rollout]:
    collector, _ = make(TargetWorld(4, 0, fatal=fatal), horizon=horizon)
    return [with_novelty(collector.collect()["robot"]) for _ in range(count)]


@pytest.mark.parametrize("levels", [False, True])
def test_it_is_what_the_next_rollout_begins_with(levels: bool) -> None:
    """The time and what a policy shows, too."""
    policy = two_levels(GOALS["drawn"], 4) if levels else make_policy()
    collector, _ = make(TargetWorld(4, 0, fatal=0.8), horizon=7, policy=policy)
    before, ended = collector.collect()["robot"], 0
    for _ in range(6):
        after = collector.collect()["robot"]
        assert before.following_obs.keys() == after.obs.keys()
        assert (GOAL in after.obs) == levels
        for name, value in after.obs.items():
            assert torch.equal(before.following_obs[name], value[:1]), name
        ended += int(before.done[-1].sum())
        before = after
    assert ended > 0


@pytest.mark.parametrize("kind", ["mlp", "gru"])
def test_two_rollouts_have_the_values_of_one_twice_as_long(kind: str) -> None:
    """At the seam as well, where episodes end; the reward's is that of the true successor."""
    critic, halves, (whole,) = critic_of(kind), collected(8, 2, 0.3), collected(16, 1, 0.3)
    seam = halves[0].done[-1]
    assert seam.any()
    assert halves[0].terminated[-1].any()
    carry, found = torch.zeros(4, critic.carry_size), []
    for half in halves:
        found.append(valued(critic, half, carry))
        carry = found[-1].carries[-1]
    wanted = valued(critic, whole, torch.zeros(4, critic.carry_size))
    for name in ("now", "next"):
        both = torch.cat([getattr(values, name) for values in found])
        torch.testing.assert_close(both, getattr(wanted, name), rtol=1e-6, atol=1e-6)
    successor = {name: value[-1, seam] for name, value in halves[0].next_obs.items()}
    within = torch.zeros(int(seam.sum()), dtype=torch.bool)
    with torch.no_grad():
        there, _ = critic(successor, found[0].carries[-1][seam], within)
    gap = (found[0].next[-1, seam] - there * critic.scale).abs()
    assert float(gap[:, :2].max()) < 1e-6, "what ends with the episode has the value of the true successor"
    assert float(gap[:, 2].min()) > 1e-3


def estimate(rollout: Rollout, lam: float = 0.95) -> Tensor:
    """Advantages as the learner's poser asks for them, ``[T, N, 3]``."""
    _, learner = make(TargetWorld(4, 0), intrinsic=[Column()], critic=critic_of("mlp"))
    learner.poser.algorithm = dataclasses.replace(
        learner.poser.algorithm, estimator=functools.partial(gae, lam=lam)
    )
    values = valued(learner.critic, rollout, torch.zeros(rollout.log_prob.shape[1], 0))
    return learner.poser.estimate(rollout, values, torch.zeros_like(rollout.log_prob)).advantage


class Column:
    column = "bonus/novelty"


def test_one_step_ahead_the_advantages_are_those_of_the_longer_rollout() -> None:
    both = torch.cat([estimate(half, lam=0.0) for half in collected(8, 2)])
    torch.testing.assert_close(both, estimate(*collected(16, 1), lam=0.0), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("fatal", [0.8, 2.0])
def test_padding_is_no_step_that_follows(fatal: float) -> None:
    """Beside a longer rollout a shorter one has the advantages that it has alone: at its end it knows what follows."""
    short, long = *collected(11, 1, fatal), *collected(16, 1, fatal)
    carry = torch.zeros(4, 0)
    joined = side_by_side((Experience(short, carry), Experience(long, carry)), (1.0, 1.0)).rollout
    assert joined.final.nonzero().T[0].unique().tolist() == [10, 15]
    together = estimate(joined)
    torch.testing.assert_close(together[:11, :4], estimate(short), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(together[:, 4:], estimate(long), rtol=1e-5, atol=1e-6)


def test_a_worker_whose_episode_ended_is_given_another_goal() -> None:
    """Else it goes on as it would; the manager's own begins with the environment's."""
    collector, policy = collector_of_two(uneven(), horizon=12)
    policy.manager.unit.fill_(100.0)
    ended = 0
    for _ in range(4):
        told = collector.collect()
        manager, worker = told["manager"], told["worker"]
        assert worker.following_obs.keys() == worker.obs.keys()
        over = worker.done[-1]
        for name, value in worker.following_obs.items():
            assert torch.equal(value[0, ~over], worker.next_obs[name][-1, ~over])
        begun = {name: value[0, over] for name, value in manager.following_obs.items()}
        assert torch.equal(worker.following_obs["policy"][0, over], begun["policy"])
        assert bool((worker.following_obs[TIME_LEFT][0, over] == 1.0).all())
        goals = worker.following_obs[WISHED][0, over]
        assert not torch.equal(goals, worker.next_obs[WISHED][-1, over]) or not over.any()
        assert bool((goals.abs() < 10.0).all()), "in units of goals, as a worker reads them"
        ended += int(over.sum())
    assert ended > 0
    assert policy.every == 4


def test_what_follows_demonstrations_are_the_next_ones() -> None:
    shown = make_demonstrations((5, 3, 4))
    spec = dataclasses.replace(make_spec(), num_envs=2)
    policy, none = make_policy(), lambda: False
    columns = CostColumns((), 2)
    collector = DemonstrationCollector(shown, spec, policy, columns, 5, stream(0, "shown"), "robot", none)
    before = collector.collect()["robot"]
    for _ in range(4):
        after = collector.collect()["robot"]
        for name, value in after.obs.items():
            assert torch.equal(before.following_obs[name], value[:1]), name
        before = after


def test_a_checkpoint_from_before_is_completed_by_the_last_successors() -> None:
    _, learner = make(TargetWorld(4, 0), memory=3)
    rollout = collected(16, 1)[0]
    learner._window.keep(Experience(rollout, torch.zeros(4, 0)))
    state: dict[str, Any] = {"learners": {"robot": learner.state_dict()}}
    (kept,) = state["learners"]["robot"]["window"]
    del kept["rollout"]["following_obs"]
    completed(state, STATE)
    learner.load_state_dict(state["learners"]["robot"])
    (again,) = learner._window._kept
    assert torch.equal(again.rollout.following_obs["policy"], rollout.next_obs["policy"][-1:])
