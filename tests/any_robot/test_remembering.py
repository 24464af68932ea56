"""Terms that compare a step with those before it, against a log of the whole episode."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from own_models import WALKER, world

from pgrobot.envs import rewards
from pgrobot.envs.sensing import touching
from pgrobot.errors import PgrobotError
from pgrobot.simulation import BatchEnvironment
from pgrobot.simulation.functions import RewardTerm

FEET = ["left_foot", "right_foot"]
TERMS = {
    "rate": RewardTerm(rewards.action_rate, 1.0),
    "air": RewardTerm(partial(rewards.feet_air_time, parts=FEET, threshold=0.05), 1.0),
}


@pytest.fixture
def walkers(tmp_path: Path) -> BatchEnvironment:
    return world(tmp_path, WALKER, 4, rewards=TERMS, max_episode_steps=25)


def test_they_are_those_of_a_log(walkers: BatchEnvironment) -> None:
    """Also where an episode ends on the way and another one begins."""
    random, steps = np.random.default_rng(0), 60
    walkers.reset()
    before, since, landed = np.zeros((4, 3)), np.zeros((4, 2)), 0
    first = np.ones(4, dtype=bool)
    for _ in range(steps):
        action = random.uniform(-2.0, 1.0, (4, 3))
        step = walkers.advance(action)
        now = (np.clip(action, [-1, -1.5, -0.5], [1, 0, 0.5]) - [0, -0.75, 0]) / [1, 0.75, 0.5]
        change = np.where(first, 0.0, np.square(now - before).mean(axis=1))
        np.testing.assert_allclose(step.terms[:, 0], change, atol=1e-12)
        touch = touching(walkers.simulation, FEET)
        paid = np.where(touch & (since > 0), since * 0.02 - 0.05, 0.0).sum(axis=1)
        np.testing.assert_allclose(step.terms[:, 1], paid, atol=1e-12)
        landed += int((touch & (since > 0)).sum())
        before, since, first = now, np.where(touch, 0, since + 1), np.zeros(4, dtype=bool)
        ended = np.flatnonzero(step.terminated | step.truncated)
        if ended.size:
            walkers.restart(ended)
            since[ended], first[ended] = 0, True
    assert landed > 10


def test_a_continued_episode_remembers(walkers: BatchEnvironment, tmp_path: Path) -> None:
    other = world(tmp_path / "other.xml", WALKER, 4, rewards=TERMS, max_episode_steps=25)
    walkers.reset(), other.reset()
    action = np.full((4, 3), 0.4)
    for _ in range(7):
        walkers.step(action)
    other.load_state_dict(walkers.state_dict())
    for _ in range(30):
        action = -0.9 * action
        assert np.array_equal(walkers.step(action).terms, other.step(action).terms)


def test_what_nobody_asks_for_is_not_remembered(tmp_path: Path) -> None:
    environment = world(tmp_path, WALKER, rewards={"rate": TERMS["rate"]})
    assert environment.robot.memory(environment.simulation) == {"last_command": 3}
    assert not world(tmp_path, WALKER).behaviour.memory.any


def test_a_robot_that_does_not_remember_says_so(tmp_path: Path) -> None:
    simulation = world(tmp_path, WALKER).simulation
    with pytest.raises(PgrobotError, match="the robot remembers no 'last_command'"):
        rewards.action_rate(simulation)
