"""The ant is paid for goals as they are said to be, sees them from its own frame, and is shown itself as a group."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pytest

from pgrobot.assembly import build_environment
from pgrobot.configure import compose, validated
from pgrobot.errors import PgrobotError
from pgrobot.simulation import BatchEnvironment

TASK = ["task=ant_goal", "tracker=[]", "constraint=[]"]


def made(*overrides: str, num_envs: int = 6) -> Any:
    environment = build_environment(validated(compose([*TASK, *overrides])), num_envs, 0, 1)
    assert isinstance(environment, BatchEnvironment)
    return environment


def test_what_is_seen_is_of_its_own_frame() -> None:
    """Against MuJoCo's rotation of each ant; the group ``body`` is the observation without the goal."""
    environment = made()
    environment.reset()
    simulation = environment.simulation
    random, matrix = np.random.default_rng(0), np.zeros(9)
    for _ in range(8):
        step = environment.step(random.uniform(-1.0, 1.0, (6, 8)))
    names = environment.spec.observation["policy"].names
    assert names[:-2] == environment.spec.observation["body"].names
    seen, goal = step.obs["policy"], simulation.memory("goal")
    assert np.array_equal(seen[:, :-2], step.obs["body"])
    for i in range(6):
        mujoco.mju_quat2Mat(matrix, simulation.qpos[i, 3:7])
        own = matrix.reshape(3, 3).T
        way = own @ (*(goal[i] - simulation.qpos[i, :2]), 0.0)
        assert seen[i, names.index("goal/x")] == pytest.approx(way[0])
        assert seen[i, names.index("goal/y")] == pytest.approx(way[1])
        velocity = own @ simulation.qvel[i, :3]
        assert seen[i, names.index("velocity/x") : names.index("velocity/z") + 1] == pytest.approx(velocity)
        assert seen[i, names.index("gravity/z")] == pytest.approx(own[2, 2] * -1.0)


def test_it_is_paid_for_the_way_to_the_goal_that_it_was_shown() -> None:
    """A goal beside its start is reached in the first steps; the next one lies around where it then is."""
    environment = made(
        "task.reward=dense", "task.distance=0.1", "task.near=0.11", "task.far=0.4", num_envs=32
    )
    environment.reset()
    simulation, random = environment.simulation, np.random.default_rng(0)
    reached = 0
    for _ in range(60):
        goal, before = simulation.memory("goal").copy(), simulation.qpos[:, :2].copy()
        action = random.uniform(-1.0, 1.0, (32, 8))
        step = environment.step(action)
        going = ~(step.terminated | step.truncated)
        after = simulation.qpos[:, :2]
        nearer = np.linalg.norm(goal - before, axis=1) - np.linalg.norm(goal - after, axis=1)
        assert step.terms[going, 0] == pytest.approx(nearer[going] / 0.05)
        assert step.terms[going, 2] == pytest.approx(-0.1 * (action[going] ** 2).sum(axis=1))
        there = going & (np.linalg.norm(goal - after, axis=1) <= 0.1)
        assert (step.terms[there, 1] == 0.5).all()
        changed = (simulation.memory("goal") != goal).any(axis=1)
        assert np.array_equal(changed[going], there[going])
        away = np.linalg.norm(simulation.memory("goal") - after, axis=1)[there]
        assert ((away >= 0.11) & (away <= 0.4)).all()
        reached += int(there.sum())
    assert reached > 5


def test_a_sparse_goal_pays_once_ends_and_is_marked() -> None:
    environment = made("task.distance=0.2", "task.near=0.21", "task.far=0.3", num_envs=32)
    environment.reset()
    simulation, random = environment.simulation, np.random.default_rng(1)
    paid = fallen = 0.0
    for _ in range(100):
        goal = simulation.memory("goal").copy()
        np.testing.assert_array_equal(simulation.field("mocap_pos")[:, 0, :2], goal)
        step = environment.step(random.uniform(-1.0, 1.0, (32, 8)))
        reached = step.telemetry["measured/goal"][:, 0] > 0.0
        assert np.array_equal(step.reward, reached.astype(float))
        assert step.terminated[reached].all()
        paid += step.reward.sum()
        fallen += (step.terminated & ~reached).sum()
    assert paid > 5
    assert fallen > 0


def test_goals_lie_in_all_directions_at_their_distances() -> None:
    environment = made("task.near=2", "task.far=5", num_envs=1000)
    environment.reset()
    goal = environment.simulation.memory("goal")
    distance = np.linalg.norm(goal - environment.simulation.qpos[:, :2], axis=1)
    assert 2.0 <= distance.min() < 2.1
    assert 4.9 < distance.max() <= 5.0
    quadrants = np.bincount((goal > 0.0) @ [1, 2], minlength=4)
    assert quadrants.min() > 200


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("task.reward=spares", "did you mean 'sparse'"),
        ("task.distance=3", "have to rise from above 0 m"),
        ("task.far=1", "have to rise from above 0 m"),
        ("task.healthy_z_range=[1.0,0.2]", "two heights in m, the lower first"),
    ],
)
def test_bad_goals_are_refused(override: str, says: str) -> None:
    with pytest.raises(PgrobotError, match=says.replace("(", r"\(")):
        made(override)
