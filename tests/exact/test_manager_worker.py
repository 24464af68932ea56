"""A manager and its worker: decisions that last against the steps they are made of, and the two as one policy."""

from __future__ import annotations

import dataclasses
import functools
from itertools import pairwise

import numpy as np
import pytest
import torch
from managing import COLUMNS, EVERY, SHOWN, TARGET, Line, Obedient, below_of, collected, collector, uneven
from torch import Tensor
from toys import ABOVE, GAUSSIAN, POLICY, TargetWorld, make, make_critic, make_policy, numbers

from pgrobot.acting import Actor, undrawn
from pgrobot.action_map import ActionMap
from pgrobot.bodies import Gru
from pgrobot.collectors import SimulationCollector
from pgrobot.collectors.decisions import Spans, decisions
from pgrobot.collectors.manager_worker import ManagerWorkerCollector
from pgrobot.constraints import CostColumns, Lagrangian
from pgrobot.estimators import EstimatorInput, gae
from pgrobot.policies import NetworkPolicy
from pgrobot.policies.manager_worker import GOAL, TIME_LEFT, Manager, ManagerAndWorker
from pgrobot.pricing import Budgets
from pgrobot.randomness import stream
from pgrobot.reduce import ALONE
from pgrobot.types import Rollout
from pgrobot.unrolling import unroll


def begins_of(steps: Rollout) -> Tensor:
    """Where goals are drawn, by counting."""
    begins = torch.zeros_like(steps.done)
    for n in range(begins.shape[1]):
        left = 0
        for t in range(len(begins)):
            if steps.episode_start[t, n] or left == 0:
                begins[t, n], left = True, EVERY
            left -= 1
    return begins


@pytest.mark.parametrize("rows", [1, 3])
def test_a_decision_is_the_steps_it_lasted(rows: int) -> None:
    manager, worker, _ = collected(rows=rows)
    steps, begins = manager.steps, begins_of(manager.steps)
    assert bool(steps.terminated.any())
    assert bool(steps.truncated.any())
    assert len(manager.weight) % rows == 0
    gamma = torch.tensor([0.9, 0.8], dtype=torch.float64)
    for n in range(begins.shape[1]):
        starts = [*begins[:, n].nonzero().flatten().tolist(), len(begins)]
        for j, (first, end) in enumerate(pairwise(starts)):
            last = end - 1
            summed = sum(gamma**i * steps.reward[first + i, n].double() for i in range(end - first))
            torch.testing.assert_close(manager.reward[j, n].double(), summed, rtol=1e-6, atol=1e-6)
            assert manager.weight[j, n] == 1.0
            assert manager.duration[j, n] == end - first
            assert manager.age[j, n] == steps.age[first, n]
            assert manager.episode_start[j, n] == steps.episode_start[first, n]
            assert manager.terminated[j, n] == steps.terminated[last, n]
            assert torch.equal(manager.obs["policy"][j, n], steps.obs["policy"][first, n])
            assert torch.equal(manager.next_obs["policy"][j, n], steps.next_obs["policy"][last, n])
            whole = end == len(begins) and j + 1 < len(manager.weight)
            assert manager.truncated[j, n] == (
                steps.truncated[last, n] | (whole & ~steps.terminated[last, n])
            )
        assert not manager.weight[len(starts) - 1 :, n].any()
        assert bool(manager.censored[len(starts) - 1 :, n].all())
    assert worker.reward.shape == steps.reward.shape


def test_with_lambda_one_a_manager_has_the_advantage_of_the_steps() -> None:
    """R6: ``Σ γ^k r + γ^K V(end) − V(now)``, whichever way decisions and episodes end; to the last digits."""
    torch.manual_seed(0)
    manager, _, _ = collected(rows=3)
    exact = dataclasses.replace(manager.steps, reward=torch.randn(16, 5, 2, dtype=torch.float64))
    gamma = torch.tensor([0.9, 0.8], dtype=torch.float64)
    spans = Spans.of(begins_of(exact), lambda needed: needed + 2)
    told = decisions(
        exact,
        spans,
        action=manager.action,
        log_prob=manager.log_prob,
        carry=manager.carry,
        discount=gamma,
        telemetry={},
    )
    value, following = (torch.randn(16, 5, 2, dtype=torch.float64) for _ in range(2))
    for last in range(
        16 - 1
    ):  # within an episode the value of the next step is that of the state that follows
        going_on = ~exact.done[last]
        following[last][going_on] = value[last + 1][going_on]

    def advantage(rollout: Rollout, now: Tensor, then: Tensor) -> Tensor:
        discount = gamma ** rollout.duration.double().unsqueeze(-1)
        ends = (x.unsqueeze(-1) for x in (rollout.terminated, rollout.done))
        given = EstimatorInput(rollout.reward, now, then, *ends, torch.zeros_like(rollout.log_prob), discount)
        return gae(given, lam=1.0).advantage

    flat = advantage(exact, value, following)
    found = advantage(told, spans.at_first(value), spans.at_last(following))
    counts = told.weight > 0.0
    torch.testing.assert_close(found[counts], spans.at_first(flat)[counts], rtol=1e-12, atol=1e-12)


def test_costs_of_decisions_are_those_of_their_steps() -> None:
    manager, worker, _ = collected(discount=torch.ones(2, dtype=torch.float64))
    assert float(worker.reward[..., 1].sum()) > 0.0
    assert torch.equal(manager.reward[..., 1].sum(0), worker.reward[..., 1].sum(0))
    assert torch.equal(manager.steps.reward[..., 1], worker.reward[..., 1])


def test_a_manager_of_every_step_whose_worker_obeys_is_a_policy_alone() -> None:
    """The same experience and the same update, but for what ``s + z − s`` rounds."""
    flat, learner = make(TargetWorld(4, 0))
    alone = flat.collect()["robot"]
    gathered, _ = collector(TargetWorld(4, 0), every=1, below=Obedient(), discount=torch.ones(2).double())
    manager = gathered.collect()["manager"]
    assert bool((manager.duration == 1.0).all())
    assert bool((manager.weight == 1.0).all())
    for field in ("action", "log_prob", "reward", "terminated", "truncated", "episode_start", "age", "paid"):
        torch.testing.assert_close(getattr(manager, field), getattr(alone, field), rtol=1e-5, atol=1e-5)
    for name in ("policy", "time"):
        torch.testing.assert_close(manager.obs[name], alone.obs[name])
        torch.testing.assert_close(manager.next_obs[name], alone.next_obs[name])
    _, other = make(TargetWorld(4, 0))
    told, again = learner.update(alone), other.update(manager)
    assert again == pytest.approx(told, rel=1e-3, abs=1e-4)
    torch.testing.assert_close(other.policy_vector.vector, learner.policy_vector.vector, rtol=1e-3, atol=1e-4)


def test_a_goal_is_held_and_what_is_left_of_it_shrinks() -> None:
    _, policy = collector(uneven(), every=3)
    policy.manager.unit.fill_(0.25)
    actor = Actor(policy, uneven().spec.observation, ActionMap.of(uneven().spec), 2)
    random = np.random.default_rng(0)
    places, left = [], []
    for t in range(8):
        obs = {"policy": random.normal(size=(2, 2))}
        start = np.array([t == 0, t in (0, 4)])
        before = policy.kept(actor.carry)[0].clone()
        decides = policy.decides(actor.carry, torch.from_numpy(start))
        actor(obs, start, undrawn)
        place, after, *_ = policy.kept(actor.carry)
        assert decides.tolist() == [t % 3 == 0, t in (0, 3, 4, 7)], t
        seen = torch.from_numpy(obs["policy"]).float()
        goal = policy.manager({"policy": seen}, torch.zeros(2, 0), torch.zeros(2, dtype=torch.bool))[0].mean
        wished = seen[:, :1] + 0.25 * goal
        torch.testing.assert_close(place, torch.where(decides[:, None], wished, before))
        places.append(place)
        left.append(after[:, 0].tolist())
    assert left[:5] == [[2, 2], [1, 1], [0, 0], [2, 2], [1, 2]]


@pytest.mark.parametrize("pay", ["progress", "distance"])
def test_a_worker_is_paid_by_its_goal_and_shown_what_is_left_of_it(pay: str) -> None:
    manager, worker, policy = collected(pay=pay, task_share=0.5)
    steps, begins = manager.steps, begins_of(manager.steps)
    target, after = steps.obs["policy"][..., 0], steps.next_obs["policy"][..., 0]
    place = torch.zeros_like(target)
    for t in range(len(begins)):
        held = place[t - 1] if t else place[0]
        drawn = target[t] + policy.drawn(steps.action)[1][t, :, 0]
        place[t] = torch.where(begins[t], drawn, held)
    before, following = (place - target).abs(), (place - after).abs()
    own = before - following if pay == "progress" else -following
    torch.testing.assert_close(worker.reward[..., 0], own + 0.5 * steps.reward[..., 0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(worker.obs[GOAL][..., 0], place - target, rtol=1e-5, atol=1e-5)
    reached = manager.telemetry["goal/reached"][..., 0][manager.weight > 0]
    distance = manager.telemetry["goal/distance"][..., 0][manager.weight > 0]
    assert torch.equal(reached, (distance < 0.5).float())


def test_a_worker_goes_on_with_its_goal_or_with_the_next_one() -> None:
    """What a critic is asked for beyond a step: the same goal where an episode is cut in it, else one that is drawn."""
    manager, worker, _ = collected()
    steps, begins = manager.steps, begins_of(manager.steps)
    time, over = worker.obs[TIME_LEFT][..., 0], worker.next_obs[TIME_LEFT][..., 0]
    assert bool((time[begins] == 1.0).all())
    within = torch.zeros_like(begins)
    within[:-1] = ~begins[1:]
    torch.testing.assert_close(over[within], time[within] - 1.0 / EVERY)
    torch.testing.assert_close(worker.next_obs[GOAL][:-1][within[:-1]], worker.obs[GOAL][1:][within[:-1]])
    cut = steps.truncated & (time > 1.5 / EVERY)
    assert bool(cut.any())
    place = worker.obs[GOAL] + steps.obs["policy"][..., :1]
    torch.testing.assert_close(worker.next_obs[GOAL][cut], (place - steps.next_obs["policy"][..., :1])[cut])
    assert bool((over[-1][~steps.done[-1]] == 1.0).all())
    fresh = worker.next_obs[GOAL][-1][~steps.done[-1]]
    assert not torch.allclose(fresh, (place - steps.next_obs["policy"][..., :1])[-1][~steps.done[-1]])


def test_both_were_drawn_by_the_policies_that_learn() -> None:
    """The first ratio of either update is one, and together they are the density of the two as one policy."""
    manager, worker, policy = collected()
    steps = manager.steps
    counts = manager.weight > 0.0
    with torch.no_grad():
        goals, _ = policy.manager(manager.obs, manager.carry, manager.episode_start)
        actions, _ = policy.worker(worker.obs, worker.carry, worker.episode_start)
    torch.testing.assert_close(goals.log_prob(manager.action)[counts], manager.log_prob[counts])
    torch.testing.assert_close(actions.log_prob(worker.action), worker.log_prob)
    spread = torch.where(begins_of(steps), manager.log_prob.gather(0, manager.row), 0.0)
    torch.testing.assert_close(steps.log_prob, spread + worker.log_prob, rtol=1e-5, atol=1e-5)


def test_a_manager_remembers_from_decision_to_decision() -> None:
    """One after the other its decisions are those that it took, whatever happened in the steps between them."""
    body = functools.partial(Gru, units=4, hidden=(8,), activation="tanh", sequence=2)
    above = NetworkPolicy(POLICY, numbers(1), ("policy",), body, GAUSSIAN, 10.0, stream(2, "policy"))
    manager, _, policy = collected(above=above, rows=2)
    assert policy.manager.memory_size == policy.manager.carry_size == 4
    assert manager.carry[0].abs().max() > 0.0
    with torch.no_grad():
        goals, carries = unroll(policy.manager, manager.obs, manager.carry[0], manager.episode_start)
    counts = manager.weight > 0.0
    torch.testing.assert_close(carries[:-1][counts], manager.carry[counts])
    torch.testing.assert_close(goals.log_prob(manager.action)[counts], manager.log_prob[counts])


def test_budgets_are_those_of_the_steps_for_both() -> None:
    """The excess that either multiplier moves on is, to the last bit, the one of a policy alone on the same trace."""
    manager, worker, _ = collected(rows=3)

    def priced(rollout: Rollout) -> tuple[dict[str, float], Tensor]:
        multiplier = Lagrangian((ABOVE,), COLUMNS, "sgd", 0.5, 0.7, 10.0)
        budgets = Budgets((ABOVE,), multiplier, 0.8, 6, ALONE)
        return budgets.price(rollout), budgets.slack

    alone, slack = priced(manager.steps)
    for rollout in (manager, worker):
        found, own = priced(rollout)
        assert torch.equal(own, slack)
        for name in ("cost/above/mean", "cost/above/budget", "multiplier_level/above"):
            assert found[name] == alone[name]
    assert priced(manager)[0] == alone


def test_what_is_left_of_a_budget_is_in_the_unit_of_a_rows_advantage() -> None:
    """Costs of a decision are those of all its steps, so as many are left to it; padding is none."""
    left, (flat, learner) = torch.tensor([0.25]), make(TargetWorld(4, 0))
    alone = learner.poser.evidence(
        flat.collect()["robot"], 4, left, torch.ones_like(left), learner.policy_vector.vector
    ).slack
    assert torch.equal(alone, left)
    manager, _, policy = collected(rows=3)
    _, upper = make(TargetWorld(4, 0), policy=policy.manager)
    found = upper.poser.evidence(
        manager, manager.log_prob.shape[1], left, torch.ones_like(left), upper.policy_vector.vector
    ).slack
    steps, rows = manager.steps.done.numel(), int((manager.weight > 0.0).sum())
    assert rows < manager.weight.numel()
    torch.testing.assert_close(found, left * steps / rows)


def test_a_bonus_of_a_decision_is_spread_over_its_steps() -> None:
    manager, _, _ = collected(rows=3)
    bonus = torch.randn(manager.weight.shape) * manager.weight
    wider = manager.with_column("bonus/x", bonus, episodic=True)
    assert wider.columns == wider.steps.columns == (*COLUMNS, "bonus/x")
    torch.testing.assert_close(wider.steps.reward[..., 2].sum(0), bonus.sum(0))
    assert torch.equal(wider.reward[..., 2], bonus)


@pytest.mark.slow
@pytest.mark.parametrize("pay", ["progress", "distance"])
def test_a_worker_learns_to_reach_goals_and_a_manager_which_ones(pay: str) -> None:
    """At first they are a unit away from where they should be, and three goals of five are reached by chance."""
    world = Line(16, 0, length=32, costs=False)
    manager, below = Manager(make_policy(), TARGET), below_of(1)
    below.origin = manager.origin
    policy = ManagerAndWorker(manager, below, EVERY)
    costs = CostColumns((), 16)
    simulation = SimulationCollector(world, policy, costs, 32, stream(0, "noise"), "both")
    gathered = ManagerWorkerCollector(
        simulation, policy, torch.tensor([0.95], dtype=torch.float64), pay, 0.0, 0.5,  # type: ignore[arg-type]
        lambda needed: needed, ("at",), stream(0, "following"), "manager", "worker",
    )  # fmt: skip
    critic = make_critic(("reward",), SHOWN, tuple(SHOWN))
    discounts = {"reward": 0.95, "cost": 0.95, "bonus": 0.95}
    _, upper = make(world, policy=manager, discounts=discounts, passes=4)
    _, lower = make(world, policy=below, critic=critic, minibatch=64, passes=4)
    gathered.restart()
    reached, reward = [], []
    for _ in range(25):
        told = gathered.collect()
        reached.append(float(told["manager"].telemetry["goal/reached"].mean()))
        reward.append(float(told["manager"].by_step.reward[..., 0].mean()))
        upper.update(told["manager"])
        lower.update(told["worker"])
    assert reward[0] < -0.9
    assert np.mean(reward[-5:]) > -0.35
    assert reached[0] < 0.75
    assert np.mean(reached[-5:]) > 0.9
