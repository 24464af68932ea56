"""The collector: a rollout is what happened, nothing less and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import ABOVE, TargetWorld, make

from pgrobot.collectors import ActionMap
from pgrobot.diagnostics import EpisodeStatistics
from pgrobot.episodes import evaluate
from pgrobot.errors import PgrobotError
from pgrobot.simulation.contract import check_environment
from pgrobot.types import Action, EnvironmentSpec, ObservationGroup, Step


class Recorded(TargetWorld):
    """Keeps every action it was given and every step it made."""

    def __init__(self, num_envs: int, seed: int, length: int, fatal: float) -> None:
        super().__init__(num_envs, seed, length, fatal)
        self.actions: list[np.ndarray] = []
        self.steps: list[Step] = []

    def step(self, action: np.ndarray) -> Step:
        self.actions.append(action.copy())
        self.steps.append(super().step(action))
        return self.steps[-1]


def test_a_rollout_is_what_happened() -> None:
    world = Recorded(3, 0, length=5, fatal=0.9)
    collector, _ = make(world)
    for part in range(2):
        rollout = collector.collect()["robot"]
        for t in range(16):
            step = world.steps[part * 16 + t]
            expected = np.clip(rollout.action[t].double().numpy(), -1, 1) * 2
            np.testing.assert_array_equal(world.actions[part * 16 + t], expected)
            np.testing.assert_array_equal(rollout.reward[t, :, 0].numpy(), step.reward.astype(np.float32))
            np.testing.assert_array_equal(rollout.reward[t, :, 1].numpy(), step.cost[:, 0].astype(np.float32))
            np.testing.assert_array_equal(
                rollout.next_obs["policy"][t].numpy(), step.next_obs["policy"].astype("f")
            )
            np.testing.assert_array_equal(rollout.terminated[t].numpy(), step.terminated)
            np.testing.assert_array_equal(rollout.truncated[t].numpy(), step.truncated)
            np.testing.assert_array_equal(
                rollout.telemetry["terms"][t].numpy(), step.terms.astype(np.float32)
            )
            if t + 1 < 16:
                np.testing.assert_array_equal(
                    rollout.obs["policy"][t + 1].numpy(), step.obs["policy"].astype("f")
                )
    assert rollout.columns == ("reward", "cost/above")


def test_successors_are_the_next_rows_except_where_an_episode_ended() -> None:
    rollout = make(TargetWorld(3, 0, length=5, fatal=0.9))[0].collect()["robot"]
    same = (rollout.obs["policy"][1:] == rollout.next_obs["policy"][:-1]).all(-1)
    assert torch.equal(same, ~rollout.done[:-1])
    assert rollout.terminated.any()
    assert rollout.truncated.any()


def test_age_and_episode_start_follow_the_episodes_across_rollouts() -> None:
    collector, _ = make(TargetWorld(3, 0, length=5, fatal=0.9))
    age = torch.zeros(3, dtype=torch.int64)
    for _ in range(3):
        rollout = collector.collect()["robot"]
        for t in range(16):
            assert torch.equal(rollout.age[t], age)
            assert torch.equal(rollout.episode_start[t], age == 0)
            age = torch.where(rollout.done[t], 0, age + 1)


def test_log_prob_is_the_acting_policys() -> None:
    collector, learner = make(TargetWorld(3, 0))
    rollout = collector.collect()["robot"]
    distribution, _ = learner.policy(rollout.obs, rollout.carry, rollout.episode_start)
    torch.testing.assert_close(distribution.log_prob(rollout.action), rollout.log_prob, rtol=0, atol=1e-6)
    noise = (rollout.action - distribution.mean) / distribution.std
    assert 0.5 < float(noise.detach().std()) < 1.5, "actions are drawn, not the mean"


def space(low: list[float], high: list[float]) -> EnvironmentSpec:
    return EnvironmentSpec(
        name="Mixed",
        num_envs=1,
        observation={"policy": ObservationGroup.numbered("policy", (1,))},
        action_low=np.array(low),
        action_high=np.array(high),
        actions=Action.unitless(*(f"action{a}" for a in range(len(low)))),
        reward_terms=(),
        costs=(),
        violations={},
        highest_cost={},
        can_fall=False,
        max_episode_steps=1,
        control_dt=1.0,
    )


def test_action_map() -> None:
    to_environment = ActionMap.of(space([-0.4, 0.0, -np.inf], [0.4, 3.0, np.inf]))
    mapped = to_environment(np.array([[0.5, 0.0, 9.0], [-3.0, 7.0, -9.0]], np.float32))
    np.testing.assert_allclose(mapped, [[0.2, 1.5, 9.0], [-0.4, 3.0, -9.0]], rtol=1e-12)
    assert mapped.dtype == np.float64


def test_the_ends_of_a_range_are_its_bounds_to_the_last_bit() -> None:
    to_environment = ActionMap.of(space([-0.3], [0.8]))
    assert to_environment(np.array([[-1.0]], np.float32)) >= -0.3  # 0.25 − 0.55 is −0.30000000000000004
    assert to_environment(np.array([[-5.0]], np.float32)) == -0.3
    assert to_environment(np.array([[5.0]], np.float32)) == 0.8


def test_half_a_bound_is_kept_and_a_bound_beyond_reach_is_none() -> None:
    most = float(np.finfo(np.float64).max)
    single = float(np.finfo(np.float32).max)
    to_environment = ActionMap.of(
        space([0.0, -most, -np.inf, 5.0, -single], [np.inf, 2.0, -3.0, most, single])
    )
    mapped = to_environment(np.array([[-0.94] * 5, [0.6] * 5, [9.0] * 5]))
    expected = [[0.0, -0.94, -3.94, 5.0, -0.94], [0.6, 0.6, -3.0, 5.6, 0.6], [9.0, 2.0, -3.0, 14.0, 9.0]]
    np.testing.assert_allclose(mapped, expected, rtol=1e-12)


class Mistaken(TargetWorld):
    """A user's own environment with one mistake in what it returns."""

    def __init__(self, change: Callable[[Step], Step]) -> None:
        super().__init__(3, 0, length=5)
        self._change = change

    def step(self, action: np.ndarray) -> Step:
        return self._change(super().step(action))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda step: replace(step, next_obs={"policy": step.next_obs["policy"][:, :1]}),
            r"next_obs\['policy'\] of Target has to be numbers \(3, 2\), not float64 \(3, 1\)",
        ),
        (
            lambda step: replace(step, obs={}),
            "obs of Target has to be a dict of policy, not a dict of nothing",
        ),
        (
            lambda step: replace(step, reward=step.reward[:, None]),
            r"reward of Target has to be numbers \(3,\), not float64 \(3, 1\)",
        ),
        (lambda step: replace(step, reward=0.0), r"reward of Target has to be numbers \(3,\), not 0.0"),
        (
            lambda step: replace(step, cost=step.cost[:, 0]),
            r"cost of Target has to be numbers \(3, 1\), not float64 \(3,\)",
        ),
        (
            lambda step: replace(step, terminated=step.terminated.astype(float)),
            r"terminated of Target has to be bool \(3,\), not float64 \(3,\)",
        ),
        (
            lambda step: replace(step, obs=step.next_obs),
            r"obs\['policy'\] and next_obs\['policy'\] in the same memory in a step that ended an episode",
        ),
    ],
)
def test_what_an_environment_of_the_users_own_returns_is_checked(
    change: Callable[[Step], Step], sentence: str
) -> None:
    collector, _ = make(Mistaken(change))
    with pytest.raises(PgrobotError, match=sentence):
        collector.collect()


def test_an_evaluation_checks_it_as_well() -> None:
    mistaken = Mistaken(lambda step: replace(step, cost=step.cost[:, 0]))
    act = lambda obs, start: np.zeros((3, 1))
    with pytest.raises(PgrobotError, match=r"cost of Target has to be numbers \(3, 1\)"):
        evaluate(act, mistaken, 3, 0.99)


@pytest.mark.parametrize("limit", [0, 1_000_001, 10**9])
def test_an_episode_is_no_longer_than_can_be_measured(limit: int) -> None:
    world = TargetWorld(1, 0)
    assert check_environment("it", world) is world
    world.spec = replace(world.spec, max_episode_steps=limit)
    sentence = rf"Target has episodes of up to {limit:,} steps: .* between 1 and 1,000,000"
    with pytest.raises(PgrobotError, match=sentence):
        check_environment("it", world)


def test_new_episodes_begin_with_nothing_of_the_old_ones() -> None:
    """In the collector, in columns that pay once, and in the statistics of episodes."""
    once = replace(ABOVE, unit="probability", limit=1.0)
    collector, _ = make(TargetWorld(3, 0, length=20), constraint=once)
    statistics = EpisodeStatistics(TargetWorld(3, 0).spec)
    told = []
    for restarts in (False, True, False):
        if restarts:
            collector.restart()
        rollout = collector.collect()["robot"]
        assert rollout.episode_start[0].all() == (restarts or not told)
        assert torch.equal(rollout.age[0], torch.full((3,), 0 if restarts or not told else 16))
        if restarts:
            assert not rollout.paid[0].any()
        told.append(statistics(0, {}, {"robot": rollout}))
    assert [metrics.get("episode_length/mean") for metrics in told] == [None, None, 20.0]
