"""Sparse tasks are the dense ones but for what they pay, and they pay what is said, by brute force."""

from __future__ import annotations

from functools import cache
from typing import Any

import gymnasium
import numpy as np
import pytest

from pgrobot.assembly import build_environment
from pgrobot.configure import compose, validated
from pgrobot.errors import PgrobotError
from pgrobot.simulation.variation import Strength
from pgrobot.simulation.wrappers import innermost
from pgrobot.types import Environment


def made(task: str, *overrides: str, num_envs: int = 4, strength: Strength = Strength.SCHEDULED) -> Any:
    return build_environment(checked(task, *overrides), num_envs, 0, 1, strength=strength)


@cache
def checked(task: str, *overrides: str) -> Any:
    return validated(compose([f"task={task}", "tracker=[]", "constraint=[]", *overrides]))


def walked(environment: Environment, other: Environment, steps: int, actions: int) -> list[tuple[Any, Any]]:
    """The same actions in both, which observe and end the same to the last bit."""
    random, found = np.random.default_rng(0), []
    for one, two in zip(environment.reset().values(), other.reset().values(), strict=True):
        np.testing.assert_array_equal(one, two)
    for _ in range(steps):
        action = random.uniform(-1.0, 1.0, (4, actions))
        mine, theirs = environment.step(action), other.step(action)
        for name in theirs.obs:
            np.testing.assert_array_equal(mine.obs[name], theirs.obs[name])
            np.testing.assert_array_equal(mine.next_obs[name], theirs.next_obs[name])
        np.testing.assert_array_equal(mine.truncated, theirs.truncated)
        found.append((mine, theirs))
    return found


SEEN = "task.exclude_current_positions_from_observation=false"


def test_a_cheetah_is_paid_in_every_step_beyond_its_goal() -> None:
    short = ("task.max_episode_steps=150", SEEN)
    sparse = made("halfcheetah_sparse", "task.goal=0.2", *short)
    paid = 0
    for mine, theirs in walked(sparse, made("halfcheetah", *short), 200, 6):
        beyond = mine.next_obs["policy"][:, 0] > 0.2
        np.testing.assert_array_equal(mine.reward, beyond.astype(float))
        np.testing.assert_array_equal(mine.telemetry["measured/goal"][:, 0], beyond)
        np.testing.assert_array_equal(mine.terminated, theirs.terminated)
        paid += beyond.sum()
    assert 20 < paid < 780
    ending = made("halfcheetah_sparse", "task.goal=0.2", "task.end_at_goal=true", SEEN)
    ending.reset()
    random, ended = np.random.default_rng(0), 0
    for _ in range(200):
        step = ending.step(random.uniform(-1.0, 1.0, (4, 6)))
        np.testing.assert_array_equal(step.terminated, step.next_obs["policy"][:, 0] > 0.2)
        np.testing.assert_array_equal(step.telemetry["termination/goal"][:, 0], step.terminated)
        np.testing.assert_array_equal(step.reward, step.terminated)
        ended += step.terminated.sum()
    assert ended > 2


def test_a_hopper_is_paid_for_every_metre_once() -> None:
    """Thrown forwards, as no random action takes it that far."""
    free = (SEEN, "task.terminate_when_unhealthy=false")
    sparse = made("hopper_sparse", *free)
    for _, theirs in walked(sparse, made("hopper", *free), 5, 3):
        assert theirs.reward.any()
    ids, model = np.arange(4), sparse.model
    thrown = np.zeros((4, model.nv))
    thrown[:, 0] = [-10.0, 5.0, 10.0, 20.0]
    sparse.set_state(ids, np.tile(model.qpos0, (4, 1)), thrown)
    farthest, total = np.zeros(4), np.zeros(4)
    for _ in range(60):
        step = sparse.step(np.zeros((4, 3)))
        reached = np.maximum(farthest, np.floor(step.next_obs["policy"][:, 0]))
        np.testing.assert_array_equal(step.reward, reached - farthest)
        farthest, total = reached, total + step.reward
    np.testing.assert_array_equal(total, farthest)
    assert total[0] == 0.0
    assert total[3] >= 3.0
    sparse.restart(np.array([3]))
    assert sparse.simulation.memory("metres")[:, 0].tolist() == [*farthest[:3], 0.0]


def test_a_metre_that_is_passed_again_pays_nothing() -> None:
    """Along a way to and fro; the sum is what was passed for the first time."""
    hopper, way = (
        innermost(made("hopper_sparse", num_envs=1)).robot,
        [0.4, 1.2, 0.8, 1.1, 3.5, 2.0, 3.9, 4.0, -2.0],
    )
    simulation, paid = Walk(), []
    for x in way:
        simulation.after = np.array([[x]])
        paid.append(float((hopper._metres(simulation) - simulation.metres)[0, 0]))
        simulation.metres = hopper.remembered(simulation, np.zeros((1, 3)))["metres"]
    assert paid == [0.0, 1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 1.0, 0.0]


class Walk:
    """As much of a simulation as tells where it is."""

    def __init__(self) -> None:
        self.after = self.metres = np.zeros((1, 1))

    def memory(self, name: str) -> np.ndarray:
        assert name == "metres"
        return self.metres


def test_dense_terms_come_back_at_their_weights() -> None:
    for task, weights in {
        "halfcheetah": ["task.forward_reward_weight=1", "task.ctrl_cost_weight=0.1"],
        "hopper": ["task.forward_reward_weight=1", "task.ctrl_cost_weight=0.001", "task.healthy_reward=1"],
    }.items():
        sparse, dense = made(f"{task}_sparse", *weights), made(task)
        actions = 6 if task == "halfcheetah" else 3
        for mine, theirs in walked(sparse, dense, 20, actions):
            np.testing.assert_array_equal(mine.terms[:, 1:], theirs.terms)
            np.testing.assert_array_equal(mine.terminated, theirs.terminated)
            assert not mine.terms[:, 0].any()


def test_a_car_is_paid_on_its_hill_alone() -> None:
    """Swung up by full force in the direction in which it moves; beside Gymnasium's own to the last bit."""
    sparse = made("mountain_car_sparse")
    dense = made("gymnasium", "task.id=MountainCarContinuous-v0")
    seen = sparse.reset()["policy"]
    np.testing.assert_array_equal(seen, dense.reset()["policy"])
    reached = 0
    for _ in range(300):
        push = np.where(seen[:, 1:] >= 0.0, 1.0, -1.0)
        mine, theirs = sparse.step(push), dense.step(push)
        np.testing.assert_array_equal(mine.next_obs["policy"], theirs.next_obs["policy"])
        np.testing.assert_array_equal(mine.terminated, theirs.terminated)
        np.testing.assert_array_equal(mine.reward, mine.next_obs["policy"][:, 0] >= 0.45)
        reached += mine.reward.sum()
        seen = mine.obs["policy"]
    assert reached >= 4
    assert sparse.spec.max_episode_steps == gymnasium.spec("MountainCarContinuous-v0").max_episode_steps


@pytest.mark.parametrize("goal", ["0", "-1", ".inf"])
def test_a_goal_lies_ahead(goal: str) -> None:
    with pytest.raises(PgrobotError, match=r"task.goal(=0|=-1) has to be a number of metres|a finite number"):
        made("halfcheetah_sparse", f"task.goal={goal}")


def test_the_weight_of_the_reward_is_of_training_alone() -> None:
    """1 is no wrapper to the last bit; where a policy is judged the task pays what it pays."""
    for factor, strength in ((1.0, Strength.SCHEDULED), (-0.5, Strength.SCHEDULED), (1.0, Strength.FULL)):
        weight = "0" if strength is Strength.FULL else factor
        weighed = ["wrapper=[reward_weight]", f"wrapper.reward_weight.weight={weight}"]
        for mine, theirs in walked(made("hopper", *weighed, strength=strength), made("hopper"), 20, 3):
            np.testing.assert_array_equal(mine.reward, factor * theirs.reward)
            np.testing.assert_array_equal(mine.terms, factor * theirs.terms)
