"""N environments on one simulation: streams, auto-reset, time limit, failures and resuming, all to the last bit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
import torch
from hydra.utils import get_class
from mujoco.batch import SimulationError
from omegaconf import OmegaConf

import pgrobot.conf
from pgrobot.errors import PgrobotError
from pgrobot.simulation import BatchEnvironment, Cost, Robot, Simulation
from pgrobot.types import State, Step

TASKS = Path(pgrobot.conf.__path__[0]) / "task"
Trajectory = dict[str, np.ndarray]


def robot(name: str, **options: Any) -> Robot:
    node: Any = OmegaConf.to_container(OmegaConf.load(TASKS / f"{name}.yaml"))
    node.pop("defaults", None)
    return get_class(node.pop("_target_"))(**(node | options))


def make(name: str, num_envs: int, seed: int = 0, threads: int = 1, **options: Any) -> BatchEnvironment:
    return robot(name, **options).make(num_envs, {}, seed, threads)


def random_actions(environment: BatchEnvironment, steps: int) -> np.ndarray:
    """Actions ``[steps, N, A]``; those of environment i do not depend on N."""
    spec, columns = environment.spec, []
    for i in range(spec.num_envs):
        random = np.random.default_rng((7, i))
        columns.append(random.uniform(spec.action_low, spec.action_high, (steps, len(spec.action_low))))
    return np.stack(columns, axis=1)


def arrays(step: Step) -> Trajectory:
    own = {name: getattr(step, name) for name in ("reward", "terms", "cost", "terminated", "truncated")}
    return own | {"obs": step.obs["policy"], "next_obs": step.next_obs["policy"], **step.telemetry}


def run(environment: BatchEnvironment, actions: np.ndarray) -> Trajectory:
    """Return what happens under actions ``[T, N, A]``: arrays ``[T, N, ...]`` by name."""
    steps = [arrays(environment.step(action)) for action in actions]
    return {name: np.stack([step[name] for step in steps]) for name in steps[0]}


def same(left: Trajectory, right: Trajectory) -> bool:
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


def rows(trajectory: Trajectory, ids: Any) -> Trajectory:
    return {name: array[:, ids] for name, array in trajectory.items()}


@pytest.mark.parametrize(("name", "steps"), [("hopper", 80), ("ant", 40)])
def test_a_trajectory_depends_neither_on_the_number_of_environments_nor_on_threads(
    name: str, steps: int
) -> None:
    many, few, one = make(name, 5, threads=2), make(name, 2, threads=1), make(name, 1)
    starts = [environment.reset()["policy"] for environment in (many, few, one)]
    all_actions = random_actions(many, steps)
    full = run(many, all_actions)
    assert full["terminated"].any()
    assert np.array_equal(starts[0][:2], starts[1])
    assert np.array_equal(starts[0][:1], starts[2])
    assert same(rows(full, slice(2)), run(few, all_actions[:, :2]))
    assert same(rows(full, slice(1)), run(one, all_actions[:, :1]))


def test_a_seed_determines_everything_and_another_seed_changes_it() -> None:
    runs, starts = [], []
    for seed in (3, 3, 4):
        environment = make("walker2d", 2, seed)
        starts.append(environment.reset()["policy"])
        runs.append(run(environment, random_actions(environment, 60)))
    assert same(runs[0], runs[1])
    assert not np.array_equal(starts[0], starts[2])
    assert not np.array_equal(starts[0][0], starts[0][1])


def test_a_reset_goes_on_in_the_streams() -> None:
    environment = make("hopper", 2)
    assert not np.array_equal(environment.reset()["policy"], environment.reset()["policy"])


def test_auto_reset_keeps_the_true_next_observation() -> None:
    environment, endless = make("hopper", 3), make("hopper", 3, terminate_when_unhealthy=False)
    environment.reset()
    endless.reset()
    ended = 0
    for action in random_actions(environment, 60):
        endless.load_state_dict(environment.state_dict())
        step, beyond = environment.step(action), endless.step(action)
        assert np.array_equal(step.next_obs["policy"], beyond.next_obs["policy"])
        running = ~step.terminated
        assert np.array_equal(step.obs["policy"][running], step.next_obs["policy"][running])
        fresh = environment.simulation.qpos[step.terminated]
        assert np.all(np.abs(fresh - environment.model.qpos0) <= environment.robot.reset_noise_scale)
        assert np.array_equal(step.obs["policy"][step.terminated, :5], fresh[:, 1:])
        ended += step.terminated.sum()
    assert ended > 3


def test_the_time_limit_truncates_and_does_not_terminate() -> None:
    short, long = make("halfcheetah", 2, max_episode_steps=5), make("halfcheetah", 2)
    start = short.reset()["policy"]
    assert np.array_equal(start, long.reset()["policy"])
    actions = random_actions(short, 12)
    limited, free = run(short, actions), run(long, actions)
    assert np.array_equal(np.flatnonzero(limited["truncated"][:, 0]), [4, 9])
    assert np.array_equal(limited["truncated"][:, 0], limited["truncated"][:, 1])
    assert not limited["terminated"].any()
    assert np.array_equal(limited["next_obs"][:5], free["next_obs"][:5])
    assert not np.array_equal(limited["obs"][4], free["obs"][4])


def test_reward_terms_add_up_to_the_reward() -> None:
    environment = make("ant", 2)
    environment.reset()
    happened = run(environment, random_actions(environment, 20))
    assert environment.spec.reward_terms == ("forward", "survive", "ctrl", "contact")
    assert np.allclose(happened["terms"].sum(axis=2), happened["reward"], rtol=1e-13, atol=1e-13)


def written(simulation: Simulation, field: str, entry: int, value: float) -> None:
    """Past the views, which cannot be written."""
    simulation.batch.field(field)[1, entry] = value


POISON = {
    "velocity of joint 'thigh_joint'": lambda simulation, action: written(simulation, "qvel", 3, 1e20),
    "position of joint 'leg_joint'": lambda simulation, action: written(simulation, "qpos", 4, np.nan),
    "actuator 'foot_joint'": lambda simulation, action: action.__setitem__((1, 2), np.nan),
}


@pytest.mark.parametrize("what", POISON)
def test_a_broken_simulation_is_truncated_named_and_never_poisons_the_others(
    what: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    poisoned, clean = make("hopper", 3, threads=2), make("hopper", 3)
    poisoned.reset()
    clean.reset()
    actions = random_actions(clean, 30)
    before = [run(environment, actions[:5]) for environment in (poisoned, clean)]
    action = actions[5].copy()
    POISON[what](poisoned.simulation, action)
    step, untouched = poisoned.step(action), clean.step(actions[5])

    (sentence,) = step.failures.values()
    assert sentence.startswith("simulation 1 of Hopper-v5 broke in step 6 of its episode: ")
    assert what in sentence
    assert untouched.failures == {}
    assert (step.truncated[1], step.terminated[1], step.reward[1]) == (True, False, 0.0)
    assert step.censored.tolist() == [False, True, False]
    assert np.array_equal(step.next_obs["policy"][1], before[0]["obs"][-1, 1])
    assert np.all(np.abs(step.obs["policy"][1]) < 2)
    others = [0, 2]
    assert all(np.array_equal(arrays(step)[k][others], arrays(untouched)[k][others]) for k in arrays(step))
    after, expected = run(poisoned, actions[6:]), run(clean, actions[6:])
    assert all(np.isfinite(array).all() for array in after.values())
    assert same(rows(after, others), rows(expected, others))
    assert not list(tmp_path.iterdir())  # MuJoCo's log file


def test_an_error_that_mujoco_raises_ends_only_that_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = make("hopper", 3)
    environment.reset()
    batch = environment.simulation.batch._batch
    real = batch.step

    def raising(nstep: int) -> None:
        real(nstep=nstep)
        raise SimulationError(np.array([2]), "mj_stackAlloc: out of memory")

    monkeypatch.setattr(batch, "step", raising)
    monkeypatch.setattr(batch, "error", lambda i: "mj_stackAlloc: out of memory")
    step = environment.step(np.zeros((3, 3)))
    assert list(step.truncated) == [False, False, True]
    assert "MuJoCo stopped with 'mj_stackAlloc: out of memory'" in step.failures[2]


def test_a_state_that_turns_nan_without_a_warning_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = make("hopper", 3)
    environment.reset()
    batch = environment.simulation.batch._batch
    monkeypatch.setattr(batch, "step", lambda nstep: written(environment.simulation, "qvel", 5, np.nan))
    step = environment.step(np.zeros((3, 3)))
    assert list(step.truncated) == [False, True, False]
    assert "the velocity of joint 'foot_joint' is not finite" in step.failures[1]


@pytest.mark.parametrize(
    ("name", "options"),
    [("hopper", {}), ("ant", {}), ("humanoid", {"version": "v4"}), ("reacher", {"version": "v4"})],
)
def test_a_saved_state_continues_to_the_last_bit(name: str, options: dict[str, Any]) -> None:
    environment = make(name, 3, max_episode_steps=40, **options)
    environment.reset()
    actions = random_actions(environment, 60)
    run(environment, actions[:25])
    file = io.BytesIO()
    torch.save(environment.state_dict(), file)
    expected = run(environment, actions[25:])
    assert (expected["terminated"] | expected["truncated"]).any()

    file.seek(0)
    resumed = make(name, 3, seed=99, threads=2, max_episode_steps=40, **options)
    resumed.reset()
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert same(run(resumed, actions[25:]), expected)


def test_a_simulation_that_breaks_right_after_a_resume_ends_on_what_it_saw_last() -> None:
    environment, resumed = make("hopper", 1), make("hopper", 1, seed=1)
    last = environment.reset()["policy"]
    resumed.load_state_dict(environment.state_dict())
    step = resumed.step(np.full((1, 3), np.nan))
    assert step.truncated[0]
    assert np.array_equal(step.next_obs["policy"], last)


def test_a_state_of_another_size_is_refused() -> None:
    with pytest.raises(PgrobotError, match="num_envs=2"):
        make("hopper", 2).load_state_dict(make("hopper", 3).state_dict())


class CountedSteps:
    """A cost with a memory: the number of steps since it was last told to forget, on two parts."""

    parts = ("left", "right")

    def bind(self, simulation: Simulation) -> CountedSteps:
        self.steps = np.zeros(simulation.num_envs)
        return self

    def __call__(self) -> np.ndarray:
        self.steps += 1
        return np.stack((self.steps, 10 * self.steps), axis=1)

    def reset(self, ids: np.ndarray) -> None:
        self.steps[ids] = 0

    def state_dict(self) -> State:
        return {"steps": torch.from_numpy(self.steps.copy())}

    def load_state_dict(self, state: State) -> None:
        self.steps = state["steps"].numpy().copy()


def test_costs_are_summed_named_forgotten_with_their_episode_and_saved() -> None:
    costs: dict[str, Cost] = {"time": CountedSteps()}
    environment = robot("reacher", max_episode_steps=3).make(2, costs, seed=0, threads=1)
    environment.reset()
    assert environment.spec.costs == ("time",)
    assert environment.spec.violations == {"time": ("left", "right")}
    assert environment.spec.highest_cost == {"time": np.inf}, "it does not say"
    happened = run(environment, np.zeros((5, 2, 2)))
    assert np.array_equal(happened["cost"][:, 0, 0], [11, 22, 33, 11, 22])
    assert np.array_equal(happened["violation/time"][:, 1], [[1, 10], [2, 20], [3, 30], [1, 10], [2, 20]])
    other = robot("reacher", max_episode_steps=3).make(2, {"time": CountedSteps()}, seed=1, threads=1)
    other.load_state_dict(environment.state_dict())
    assert np.array_equal(other.step(np.zeros((2, 2))).cost, [[33], [33]])


def test_torque_is_the_actuator_force_through_the_gear() -> None:
    environment = make("hopper", 1)
    environment.reset()
    step = environment.step(np.array([[0.25, -0.5, 7.0]]))  # MuJoCo clamps the last to 1
    assert np.array_equal(step.telemetry["torque"], [[0.25 * 200, -0.5 * 200, 1.0 * 200]])
    assert np.array_equal(environment.simulation.applied_ctrl, [[0.25, -0.5, 1.0]])


def test_power_is_what_the_actuators_do_in_the_last_substep() -> None:
    environment = make("hopper", 1)
    environment.reset()
    data = mujoco.MjData(environment.model)
    data.qpos[:], data.qvel[:] = environment.simulation.qpos[0], environment.simulation.qvel[0]
    for _ in range(3):
        step = environment.step(np.array([[0.25, -0.5, 1.0]]))
        data.ctrl[:] = environment.simulation.ctrl[0]
        for _ in range(4):
            mujoco.mj_step(environment.model, data)
        assert np.array_equal(step.telemetry["power"][0], data.actuator_force * data.actuator_velocity)
        now = step.telemetry["torque"][0] * data.qvel[3:]
        np.testing.assert_allclose(step.telemetry["power"][0], now, rtol=0.05)


def test_given_states_start_episodes_only_where_asked() -> None:
    environment = make("hopper", 3, max_episode_steps=4)
    environment.reset()
    environment.step(np.zeros((3, 3)))
    kept = environment.simulation.qpos[[0, 2]].copy()
    qpos = environment.model.qpos0 + 0.01
    obs = environment.set_state(np.array([1]), qpos[None], np.full((1, 6), 0.02))["policy"]
    assert np.array_equal(obs[1], [*qpos[1:], *np.full(6, 0.02)])
    assert np.array_equal(environment.simulation.qpos[[0, 2]], kept)
    truncated = run(environment, np.zeros((4, 3, 3)))["truncated"]
    assert np.array_equal(truncated.argmax(axis=0), [2, 3, 2])


def test_a_simulation_can_be_handed_to_mujoco() -> None:
    environment = make("walker2d", 2)
    environment.reset()
    environment.step(np.zeros((2, 6)))
    data = environment.simulation.batch.get_data(1)
    assert isinstance(data, mujoco.MjData)
    assert np.array_equal(data.qpos, environment.simulation.qpos[1])


def test_an_action_of_another_shape_is_refused() -> None:
    environment = make("hopper", 2)
    environment.reset()
    with pytest.raises(PgrobotError, match=r"Hopper-v5 takes actions \(2, 3\), got \(3,\)"):
        environment.step(np.zeros(3))
