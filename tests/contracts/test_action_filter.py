"""A filter of actions answers as its equation does, in every episode from rest; and it is part of the policy."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from logged import Logged, actions, assert_goes_on, assert_same, played
from toys import make_policy

from pgrobot.acting import Actor, Draw, drawn, undrawn
from pgrobot.action_map import ActionMap
from pgrobot.errors import PgrobotError
from pgrobot.policies import Acting
from pgrobot.randomness import stream
from pgrobot.simulation.wrappers import innermost, wrapped
from pgrobot.types import Environment
from pgrobot.wrappers import ActionFilter, History

DT = 0.02


def smooth(world: Logged, time_constant: float = 0.0, rate: float = np.inf) -> Environment:
    return wrapped(world, {"action_filter": partial(ActionFilter, time_constant=time_constant, rate=rate)}, 0)


def done(given: np.ndarray, **settings: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """What is done of actions ``[T, N, 1]``, and at which times episodes end."""
    environment = smooth(world := Logged(given.shape[1]), **settings)
    environment.reset()
    ends = [step.terminated | step.truncated for step in played(environment, given)]
    return np.stack(world.told), ends


@pytest.mark.parametrize("time_constant", [0.0, 1e-6])
def test_no_filter_is_none_to_the_last_bit(time_constant: float) -> None:
    none, plain = smooth(Logged(), time_constant), Logged()
    assert none.spec == plain.spec
    assert np.array_equal(none.reset()["policy"], plain.reset()["policy"])
    for one, other in zip(played(none, actions(12)), played(plain, actions(12)), strict=True):
        assert_same(one, other)


def test_the_answer_to_a_step_is_that_of_the_differential_equation() -> None:
    """``u(t) = a (1 − exp(−t / τ))`` at the ends of the steps, whatever their length."""
    found, _ = done(np.full((4, 1, 1), 1.5), time_constant=0.05)
    time = DT * np.arange(1, 5)
    assert found[:, 0, 0] == pytest.approx(1.5 * (1.0 - np.exp(-time / 0.05)), abs=1e-15)


def test_any_actions_are_answered_by_the_sum_over_the_past_of_their_episode() -> None:
    """By the convolution with the impulse response, an episode at a time."""
    given, tau = actions(30), 0.03
    found, ends = done(given, time_constant=tau)
    keep = np.exp(-DT / tau)
    for i in range(3):
        begin = 0
        for t in range(30):
            past = given[begin : t + 1, i, 0]
            weights = (1.0 - keep) * keep ** np.arange(len(past))[::-1]
            assert found[t, i, 0] == pytest.approx(weights @ past, abs=1e-14)
            begin = t + 1 if ends[t][i] else begin


def test_the_rate_bounds_the_change_and_nothing_else() -> None:
    """5 half ranges a second are 0.2 in a step of 20 ms, of actions within ± 2."""
    found, _ = done(np.array([2.0, 0.35, 0.3, -2.0])[:, None, None], rate=5.0)
    assert found[:, 0, 0] == pytest.approx([0.2, 0.35, 0.3, 0.1], abs=1e-15)
    assert found[1, 0, 0] == 0.35
    both, _ = done(np.full((4, 1, 1), 2.0), time_constant=0.05, rate=5.0)
    free, _ = done(np.full((4, 1, 1), 2.0), time_constant=0.05)
    last = 0.0
    for limited in both[:, 0, 0]:
        wished = 2.0 + (last - 2.0) * np.exp(-DT / 0.05)
        assert limited == pytest.approx(min(wished, last + 0.2), abs=1e-15)
        last = limited
    assert (both < free).all()


def test_costs_and_rewards_are_of_what_was_done() -> None:
    environment = smooth(world := Logged(), time_constant=0.1)
    environment.reset()
    for given in actions(12):
        step = environment.step(given)
        assert np.array_equal(step.reward, world.told[-1][:, 0])
        assert np.array_equal(step.telemetry["torque"], world.told[-1])
        assert np.array_equal(step.cost, (world.told[-1] > 0).astype(float))
        assert (step.reward != given[:, 0]).all()


def test_neither_more_environments_nor_a_restart_elsewhere_change_one() -> None:
    few, many = (smooth(Logged(n), time_constant=0.1, rate=10.0) for n in (2, 3))
    few.reset(), many.reset()
    given = actions(20)
    for one, other in zip(played(few, given[:2, :2]), played(many, given[:2]), strict=True):
        assert_same(one, other, slice(2))
    many.restart(np.array([2]))
    step, other = few.step(given[2, :2]), many.step(given[2])
    assert_same(step, other, slice(2))
    assert other.reward[2] == pytest.approx(np.clip(given[2, 2, 0] * (1 - np.exp(-0.2)), -0.4, 0.4))


def test_it_goes_on_to_the_last_bit() -> None:
    assert_goes_on({"action_filter": partial(ActionFilter, time_constant=0.1, rate=10.0)})


def test_choices_are_refused() -> None:
    with pytest.raises(
        PgrobotError, match=r"^wrapper.action_filter smooths .* 'motor' of Target is one of 3 choices"
    ):
        smooth(Logged(choices=3))


class OneSided(Logged):
    """Actions from 1 to 4, in which there is no 0, and 1 is what is nearest."""

    def __init__(self, num_envs: int = 3) -> None:
        super().__init__(num_envs)
        self.spec = replace(self.spec, action_low=np.array([1.0]), action_high=np.array([4.0]))


def acted(policy: Acting, environment: Environment, draw: Draw) -> np.ndarray:
    """What a policy has done in 20 steps, ``[T, N, A]``."""
    spec, world = environment.spec, innermost(environment)
    assert isinstance(world, Logged)
    read = {"policy": spec.observation["policy"]}
    actor = Actor(policy, read, ActionMap.of(spec), spec.num_envs)
    obs, start = environment.reset(), np.ones(spec.num_envs, bool)
    for _ in range(20):
        step = environment.step(actor({"policy": obs["policy"]}, start, draw))
        obs, start = step.obs, step.terminated | step.truncated
    return np.stack(world.told)


@pytest.mark.parametrize("world", [Logged, OneSided])
@pytest.mark.parametrize(
    "order", [("action_filter",), ("action_filter", "history"), ("history", "action_filter")]
)
@pytest.mark.parametrize("deterministic", [True, False])
def test_a_policy_that_took_it_along_does_what_it_did_in_training(
    world: type[Logged], order: tuple[str, ...], deterministic: bool
) -> None:
    """Drawn or not, in single precision; its actions reach beyond the bounds, where they are clipped first."""
    settings: dict[str, dict[str, Any]] = {
        "action_filter": {"time_constant": 0.03, "rate": 20.0},
        "history": {"steps": 2},
    }
    kinds: dict[str, Any] = {"action_filter": ActionFilter, "history": History}
    filtered = wrapped(world(), {name: partial(kinds[name], **settings[name]) for name in order}, 0)
    assert filtered.spec.left_behind == ()
    policy: Acting = make_policy(observation={"policy": filtered.spec.observation["policy"].width})
    with torch.no_grad():
        for weight in policy.parameters():
            weight.copy_(torch.randn(weight.shape, generator=stream(0, "weights")))
    draws = [undrawn if deterministic else drawn(stream(1, "noise")) for _ in range(2)]
    expected = acted(policy, filtered, draws[0])
    spec = filtered.spec
    for name in reversed(order):
        policy, spec = kinds[name].carried(policy, spec, **settings[name])
    assert spec == world().spec
    found = acted(policy, world(), draws[1])
    assert found == pytest.approx(expected, abs=1e-5)
    assert len(np.unique(np.round(expected, 6))) > 10


def test_a_policy_without_a_filter_is_as_it_was() -> None:
    policy = make_policy()
    assert ActionFilter.carried(policy, Logged().spec, time_constant=0.0, rate=np.inf)[0] is policy


def test_what_was_drawn_is_what_its_likelihood_is_of() -> None:
    policy = make_policy()
    carried, _ = ActionFilter.carried(policy, Logged().spec, time_constant=0.03, rate=20.0)
    obs, start = {"policy": torch.rand(5, 2)}, torch.ones(5, dtype=torch.bool)
    distribution, _ = carried(obs, torch.zeros(5, carried.carry_size), start)
    action = distribution.sample(stream(0, "noise"))
    bare, _ = policy(obs, torch.zeros(5, 0), start)
    assert torch.equal(action[:, :1], bare.sample(stream(0, "noise")))
    assert torch.equal(distribution.log_prob(action), bare.log_prob(action[:, :1]))
