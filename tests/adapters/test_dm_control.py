"""dm_control tasks: equal to the suite itself, limits and ends told apart, exact resume."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

if sys.version_info >= (3, 13):
    pytest.skip("dm_control installs on Python 3.11 and 3.12 only", allow_module_level=True)

import dm_env
from dm_control import suite
from dm_env import specs

from pgrobot.errors import PgrobotError
from pgrobot.simulation.adapters import DmControlTask, InfoCost
from pgrobot.simulation.adapters.dm_control import SuiteEnvironment
from pgrobot.types import Environment


def make(domain: str, name: str, num_envs: int = 1, max_episode_steps: int = 1000) -> Environment:
    return DmControlTask(domain=domain, name=name, max_episode_steps=max_episode_steps, model_seed=0).make(
        num_envs, {}, 5, 1
    )


@pytest.mark.parametrize(("domain", "name"), suite.ALL_TASKS, ids="-".join)
def test_every_task_of_the_suite_trains_and_resumes(domain: str, name: str) -> None:
    environment = make(domain, name, max_episode_steps=3)
    random = np.random.default_rng(0)
    assert np.isfinite(environment.reset()["policy"]).all()
    steps = [environment.step(random.uniform(-1, 1, (1, environment.spec.action_low.size))) for _ in range(4)]
    assert [bool(step.truncated[0]) for step in steps] == [False, False, True, False]
    assert all(
        np.isfinite(step.next_obs["policy"]).all() and np.isfinite(step.reward).all() for step in steps
    )
    assert len(set(environment.spec.actuators)) == environment.spec.action_low.size
    environment.load_state_dict(environment.state_dict())


@pytest.mark.parametrize(("domain", "name"), [("cheetah", "run"), ("reacher", "easy"), ("quadruped", "walk")])
def test_every_step_equals_the_suite_s_own(domain: str, name: str) -> None:
    environment = make(domain, name)
    random = np.random.default_rng(1)
    obs = environment.reset()["policy"]
    theirs = suite.load(domain, name)
    theirs.task.random.seed(int(np.random.SeedSequence(5, spawn_key=(0, 0)).generate_state(1)[0]))
    time_step = theirs.reset()
    for _ in range(60):
        np.testing.assert_array_equal(
            obs[0], np.concatenate([np.ravel(v) for v in time_step.observation.values()])
        )
        action = random.uniform(-1, 1, environment.spec.action_low.size)
        step, time_step = environment.step(action[None]), theirs.step(action)
        assert step.reward[0] == time_step.reward
        obs = step.obs["policy"]


def test_resuming_is_exact_in_the_middle_of_an_episode() -> None:
    first, second = make("hopper", "hop", num_envs=2), make("hopper", "hop", num_envs=2)
    random = np.random.default_rng(2)
    first.reset()
    for _ in range(20):
        first.step(random.uniform(-1, 1, (2, 4)))
    second.load_state_dict(first.state_dict())
    for _ in range(20):
        action = random.uniform(-1, 1, (2, 4))
        one, two = first.step(action), second.step(action)
        np.testing.assert_array_equal(one.obs["policy"], two.obs["policy"])
        np.testing.assert_array_equal(one.reward, two.reward)


@pytest.mark.parametrize("seed", [0, 7])
def test_every_environment_has_the_same_dynamics_whatever_its_own_seed(seed: int) -> None:
    """``lqr`` draws its stiffness and damping when it is built: a policy is judged in the world it was trained in."""
    reference = suite.load("lqr", "lqr_6_2", {"random": 0}).physics.model
    other = suite.load("lqr", "lqr_6_2", {"random": 1}).physics.model
    assert not np.array_equal(reference.jnt_stiffness, other.jnt_stiffness)
    task = DmControlTask(domain="lqr", name="lqr_6_2", max_episode_steps=5, model_seed=0)
    environment = task.make(2, {}, seed, 1)
    for instance in environment._instances:
        model = instance.environment.task.physics.model
        for part in ("jnt_stiffness", "dof_damping"):
            np.testing.assert_array_equal(getattr(model, part), getattr(reference, part))


def test_names_and_bounds() -> None:
    cheetah = make("cheetah", "run").spec
    assert cheetah.name == "cheetah-run"
    assert cheetah.actuators == ("bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot")
    np.testing.assert_array_equal(cheetah.action_high, np.ones(6))
    assert cheetah.control_dt == pytest.approx(0.01)
    assert np.isinf(make("lqr", "lqr_2_1").spec.action_low).all()


class Scripted:
    """Stands for a dm_control environment: every step ends as told."""

    def __init__(self, discount: float | None) -> None:
        self.task = SimpleNamespace(random=np.random.RandomState(0))
        self._discount = discount

    def action_spec(self) -> specs.BoundedArray:
        return specs.BoundedArray((1,), np.float64, -1.0, 1.0)

    def observation_spec(self) -> OrderedDict[str, Any]:
        return OrderedDict(height=specs.Array((), np.float64), rest=specs.Array((2,), np.float64))

    def reset(self) -> dm_env.TimeStep:
        return dm_env.restart(OrderedDict(height=np.float64(1.0), rest=np.array([2.0, 3.0])))

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        observation = OrderedDict(height=np.float64(4.0), rest=np.array([5.0, 6.0]))
        if self._discount is None:
            return dm_env.transition(1.5, observation)
        return dm_env.TimeStep(dm_env.StepType.LAST, 1.5, self._discount, observation)


@pytest.mark.parametrize(
    ("discount", "limit", "terminated", "truncated"),
    [
        (0.0, 10, True, False),
        (1.0, 10, False, True),
        (None, 10, False, False),
        (None, 1, False, True),
        (0.0, 1, True, False),
    ],
)
def test_a_discount_of_zero_terminates_and_a_time_limit_truncates(
    discount: float | None, limit: int, terminated: bool, truncated: bool
) -> None:
    environment = SuiteEnvironment(Scripted(discount), limit)
    assert environment.reset(seed=0)[0].tolist() == [1.0, 2.0, 3.0]
    observation, reward, *ends, _ = environment.step(np.zeros(1))
    assert (observation.tolist(), reward, ends) == ([4.0, 5.0, 6.0], 1.5, [terminated, truncated])


def test_diverging_physics_end_the_episode_and_say_so() -> None:
    environment = make("cheetah", "run", num_envs=2)
    environment.reset()
    step = environment.step(np.array([[np.nan] * 6, [0.0] * 6]))
    assert step.truncated.tolist() == [True, False]
    assert np.isfinite(step.obs["policy"]).all()
    assert np.isfinite(step.next_obs["policy"]).all()
    assert len(step.failures) == 1
    assert "environment 0 of cheetah-run broke in step 1" in step.failures[0]


@pytest.mark.parametrize(
    ("domain", "name", "sentence"),
    [
        ("cheeta", "run", r"task.domain=cheeta: did you mean 'cheetah'"),
        ("walker", "runn", r"walker of dm_control has no task.name=runn: did you mean 'run'"),
    ],
)
def test_unknown_tasks_are_refused_with_the_nearest(domain: str, name: str, sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        make(domain, name)


def test_a_limited_cost_is_refused_because_the_suite_reports_none() -> None:
    task = DmControlTask(domain="cheetah", name="run", max_episode_steps=10, model_seed=0)
    environment = task.make(1, {"cost": InfoCost()}, 0, 1)
    environment.reset()
    with pytest.raises(PgrobotError, match="it has nothing"):
        environment.step(np.zeros((1, 6)))


def test_what_mujoco_says_of_the_suite_s_own_models_is_not_on_stderr() -> None:
    script = """
import mujoco
from pgrobot.simulation.adapters import DmControlTask

before = mujoco.get_mju_user_warning()
DmControlTask(domain="cheetah", name="run", max_episode_steps=9, model_seed=0).make(2, {}, 0, 1)
assert before is not None and mujoco.get_mju_user_warning() == before
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "compiler attribute" not in done.stderr
