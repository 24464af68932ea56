"""Robots as registered Gymnasium environments: Gymnasium's checker, Gymnasium's own steps, vector equal to single."""

from __future__ import annotations

import copy
import itertools
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from omegaconf import OmegaConf
from stable_baselines3 import PPO

import pgrobot.conf
import pgrobot.envs
from pgrobot.envs.maze_map import SHIPPED
from pgrobot.errors import PgrobotError

# Gymnasium says so of every version that is not the newest.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*is out of date. You should consider upgrading:DeprecationWarning"
)
IDS = sorted(name for name in gymnasium.registry if name.startswith("pgrobot/"))
MAZES = sorted(name for name in IDS if "PointMaze" in name)
DRONES = sorted(name for name in IDS if "Drone" in name)
SPARSE = sorted(name for name in IDS if "Sparse" in name)
OWN = [
    *MAZES,
    *DRONES,
    *SPARSE,
    "pgrobot/AntGoal-v1",
    "pgrobot/QuadrupedVelocity-v1",
]  # of which Gymnasium has none
ROBOTS = sorted({name.split("/")[1].split("-")[0] for name in IDS if name not in OWN})


def test_every_robot_is_registered_in_every_version_it_has() -> None:
    assert len(ROBOTS) == 11
    assert sorted(
        f"pgrobot/{robot}-{version}"
        for robot, version in itertools.product(ROBOTS, ("v4", "v5"))
        if (robot, version) != ("Pusher", "v4")  # Gymnasium's Pusher-v4 needs MuJoCo 2
    ) == [name for name in IDS if name not in OWN]
    assert set(OWN) < set(IDS)
    assert SPARSE == ["pgrobot/SparseHalfCheetah-v5", "pgrobot/SparseHopper-v5"]
    assert [f"pgrobot/Drone{task}-v1" for task in ("Corridor", "Gates", "Hover")] == DRONES
    assert [f"pgrobot/PointMaze{maze.title()}-v1" for maze in sorted(SHIPPED)] == MAZES


@pytest.mark.parametrize("name", MAZES)
def test_a_maze_has_its_limit_and_starts_where_it_is_told(name: str) -> None:
    single, vector = gymnasium.make(name), gymnasium.make_vec(name, num_envs=2, threads=1)
    limit = vector.unwrapped._environment.spec.max_episode_steps  # type: ignore[attr-defined]
    assert gymnasium.spec(name).max_episode_steps == limit
    place = np.array([0.5, 1.0, -0.5, 1.0])
    obs, _ = single.reset(options={"qpos": place})
    np.testing.assert_array_equal(obs, [0.5, 1.0, 0.0, 0.0, -0.5, 1.0])
    np.testing.assert_array_equal(vector.reset(seed=3)[0][0], single.reset(seed=3)[0])


@pytest.mark.parametrize("name", [name for name in IDS if name not in MAZES])
def test_the_registered_time_limit_is_the_configured_one(name: str) -> None:
    robot = gymnasium.spec(name).kwargs["robot"]
    config = OmegaConf.load(f"{pgrobot.conf.__path__[0]}/task/{robot}.yaml")
    assert gymnasium.spec(name).max_episode_steps == config.max_episode_steps


@pytest.mark.parametrize("name", IDS)
def test_gymnasium_s_checker_has_nothing_against_it(name: str) -> None:
    with warnings.catch_warnings():
        # true of Gymnasium's own robots as well: observations are unbounded and actions in the model's units
        warnings.filterwarnings(
            "ignore", message=r".*A Box observation space (minimum|maximum) value is -?infinity"
        )
        warnings.filterwarnings("ignore", message=r".*we recommend using a symmetric and normalized space")
        # an older version differs in its rewards, not in its looks
        check_env(gymnasium.make(name).unwrapped, skip_render_check=name.endswith("v4"))


@pytest.mark.parametrize("name", [name for name in IDS if name.endswith("v5") and name not in OWN])
def test_the_same_seed_and_actions_give_gymnasium_s_own_episodes(name: str) -> None:
    ours, theirs = gymnasium.make(name), gymnasium.make(name.removeprefix("pgrobot/"))
    ours.action_space.seed(0)
    assert (ours.observation_space, ours.action_space) == (theirs.observation_space, theirs.action_space)
    np.testing.assert_array_equal(ours.reset(seed=11)[0], theirs.reset(seed=11)[0])
    for _ in range(120):
        action = ours.action_space.sample()
        obs, reward, *ends, info = ours.step(action)
        their_obs, their_reward, *their_ends, _ = theirs.step(action)
        np.testing.assert_array_equal(obs, their_obs)
        assert (reward, ends) == (float(their_reward), their_ends)
        assert sum(value for key, value in info.items() if key.startswith("reward/")) == pytest.approx(reward)
        if any(ends):
            np.testing.assert_array_equal(ours.reset()[0], theirs.reset()[0])


@pytest.mark.parametrize("name", ["pgrobot/Hopper-v5", "pgrobot/Ant-v4", "pgrobot/Reacher-v5"])
def test_the_vector_environment_equals_gymnasium_s_vector_of_single_ones(name: str) -> None:
    native = gymnasium.make_vec(name, num_envs=3, max_episode_steps=15)
    singles = SyncVectorEnv(
        [lambda: gymnasium.make(name, max_episode_steps=15)] * 3, autoreset_mode=AutoresetMode.SAME_STEP
    )
    native.action_space.seed(0)
    assert native.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert native.observation_space == singles.observation_space
    assert native.action_space == singles.action_space
    np.testing.assert_array_equal(native.reset(seed=5)[0], singles.reset(seed=5)[0])
    endings = 0
    for _ in range(40):
        action = native.action_space.sample()
        obs, reward, terminated, truncated, info = native.step(action)
        their_obs, their_reward, their_terminated, their_truncated, their_info = singles.step(action)
        np.testing.assert_array_equal(obs, their_obs)
        np.testing.assert_array_equal(reward, their_reward)
        np.testing.assert_array_equal(terminated, their_terminated)
        np.testing.assert_array_equal(truncated, their_truncated)
        ended = terminated | truncated
        endings += ended.sum()
        assert ("final_obs" in info) == ended.any() == ("final_obs" in their_info)
        for i in range(3):
            final = "final_info" if ended[i] else ""
            theirs = their_info[final] if final else their_info
            if final:
                np.testing.assert_array_equal(info["final_obs"][i], their_info["final_obs"][i])
                assert info["_final_obs"][i]
                assert info["_final_info"][i]
            for key in theirs:
                if key.startswith(("cost/", "reward/")):
                    assert info[key][i] == theirs[key][i]
                    assert not final or info[final][key][i] == theirs[key][i]
    assert endings >= 6


def test_seeds_may_be_given_one_by_one() -> None:
    vector = gymnasium.make_vec("pgrobot/Hopper-v5", num_envs=2)
    single = gymnasium.make("pgrobot/Hopper-v5")
    obs, _ = vector.reset(seed=[9, 4])  # type: ignore[arg-type]
    np.testing.assert_array_equal(obs[1], single.reset(seed=4)[0])
    with pytest.raises(PgrobotError, match="2 environments need as many seeds, got 1"):
        vector.reset(seed=[9])  # type: ignore[arg-type]


def test_unseeded_environments_differ() -> None:
    obs, _ = gymnasium.make_vec("pgrobot/Hopper-v5", num_envs=2).reset()
    assert (obs[0] != obs[1]).any()


def test_options_set_the_start() -> None:
    single = gymnasium.make("pgrobot/HalfCheetah-v5")
    qpos, qvel = np.linspace(0.0, 0.8, 9), np.linspace(-1.0, 1.0, 9)
    obs, _ = single.reset(options={"qpos": qpos, "qvel": qvel})
    np.testing.assert_array_equal(obs, np.concatenate([qpos[1:], qvel]))
    drawn, _ = single.reset(seed=3)
    obs, _ = single.reset(seed=3, options={"qvel": qvel})
    np.testing.assert_array_equal(obs, np.concatenate([drawn[:8], qvel]))

    vector = gymnasium.make_vec("pgrobot/HalfCheetah-v5", num_envs=2)
    obs, _ = vector.reset(options={"qpos": qpos, "qvel": np.stack([qvel, 2 * qvel])})
    np.testing.assert_array_equal(obs[:, 8:], np.stack([qvel, 2 * qvel]))
    np.testing.assert_array_equal(obs[:, :8], np.stack([qpos[1:]] * 2))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"qpso": [0.0]}, "reset has no option 'qpso': did you mean 'qpos'"),
        ({"qpos": np.zeros(3)}, r"qpos of Hopper-v5 has the shape \(6,\), not \(3,\)"),
        ({"qpos": [1.25]}, r"qpos of Hopper-v5 has the shape \(6,\), not \(1,\)"),
        ({"qpos": 1.25}, r"qpos of Hopper-v5 has the shape \(6,\), not \(\)"),
        (
            {"qvel": [0, 0, float("nan"), 0, 0, 0]},
            "Hopper-v5 cannot start with nan as the velocity of joint 'rooty'",
        ),
        ({"qpos": [0, 2e10, 0, 0, 0, 0]}, r"with 20000000000.0 as the position of joint 'rootz': .*±1e10"),
        ({"qvel": ["fast"]}, "qvel has to be numbers"),
    ],
)
def test_wrong_starts_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        gymnasium.make("pgrobot/Hopper-v5").reset(options=options)


def test_costs_are_chosen_and_changed_by_keyword() -> None:
    fast = {"qpos": [0, 1.25, 0, 0, 0, 0], "qvel": [3.0, 0, 0, 0, 0, 0]}
    default = gymnasium.make("pgrobot/Hopper-v5")
    default.reset(options=fast)
    assert default.step(np.zeros(3, np.float32))[4]["cost/speed"] == 1.0
    lenient = gymnasium.make("pgrobot/Hopper-v5", costs={"speed": {"threshold": 5.0}, "power": {}})
    lenient.reset(options=fast)
    info = lenient.step(np.zeros(3, np.float32))[4]
    assert {key for key in info if key.startswith("cost/")} == {"cost/speed", "cost/power"}
    assert info["cost/speed"] == 0.0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"costs": {"sped": {}}}, "there is no constraint 'sped': did you mean 'speed'"),
        (
            {"costs": {"speed": {"treshold": 1}}},
            "the cost speed has no option 'treshold': did you mean 'threshold'",
        ),
        (
            {"healthy_rewrd": 1.0},
            "pgrobot/hopper has no option 'healthy_rewrd': did you mean 'healthy_reward'",
        ),
        ({"version": "v3"}, "task.version=v3"),
    ],
)
def test_wrong_keywords_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        gymnasium.make("pgrobot/Hopper-v5", **changes)


def test_options_reach_the_robot() -> None:
    generous = gymnasium.make("pgrobot/Hopper-v5", healthy_reward=7.0)
    generous.reset(seed=0)
    assert generous.step(np.zeros(3, np.float32))[4]["reward/survive"] == 7.0


def test_longer_episodes_than_registered_are_possible() -> None:
    for made in (
        gymnasium.make("pgrobot/Reacher-v5", max_episode_steps=60),
        gymnasium.make_vec("pgrobot/Reacher-v5", num_envs=1, max_episode_steps=60),
    ):
        made.reset(seed=0)
        zero = np.zeros(made.action_space.shape or (), np.float32)
        ends = [bool(np.any(made.step(zero)[3])) for _ in range(60)]
        assert ends == [False] * 59 + [True]


def test_a_broken_simulation_is_truncated_and_named() -> None:
    single = gymnasium.make("pgrobot/HalfCheetah-v5")
    single.reset(seed=0)
    with np.errstate(invalid="ignore"):
        obs, reward, terminated, truncated, info = single.step(np.full(6, np.nan, np.float32))
    assert np.isfinite(obs).all()
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert "not finite" in info["failure"]


def test_pictures_show_the_robot_as_it_stands() -> None:
    single = gymnasium.make("pgrobot/Hopper-v5", render_mode="rgb_array", width=64, height=48)
    single.reset(seed=0)
    upright: Any = single.render()
    assert (upright.shape, upright.dtype) == ((48, 64, 3), np.uint8)
    assert upright.std() > 5
    single.reset(seed=0, options={"qpos": [0, 0.72, 0, 0, 0, 0]})
    *_, terminated, _, _ = single.step(np.zeros(3, np.float32))
    while not terminated:
        *_, terminated, _, _ = single.step(np.zeros(3, np.float32))
    fallen: Any = single.render()  # how the episode ended, not how the next one starts
    single.reset(seed=0)
    again: Any = single.render()
    np.testing.assert_array_equal(again, upright)
    assert np.abs(fallen.astype(int) - upright).mean() > 1
    single.close()


def test_a_vector_of_pictures() -> None:
    vector = gymnasium.make_vec(
        "pgrobot/Swimmer-v5", num_envs=2, render_mode="rgb_array", width=64, height=48
    )
    vector.reset(seed=0)
    one, two = vector.render() or ()
    assert one.shape == two.shape == (48, 64, 3)
    assert (one != two).any()
    vector.close()


def test_a_program_that_forgets_to_close_ends_quietly(tmp_path: Path) -> None:
    program = (
        "import gymnasium, pgrobot.envs\n"
        "hopper = gymnasium.make('pgrobot/Hopper-v5', render_mode='rgb_array')\n"
        "hopper.reset(); hopper.render()\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_without_a_render_mode_nothing_is_drawn() -> None:
    single = gymnasium.make("pgrobot/Hopper-v5").unwrapped
    assert single.render() is None


def test_pictures_larger_than_the_buffer_are_refused() -> None:
    single = gymnasium.make("pgrobot/Hopper-v5", render_mode="rgb_array", width=20_000)
    single.reset(seed=0)
    with pytest.raises(PgrobotError, match="cannot draw 20000 × 480 pictures"):
        single.render()


def test_another_library_trains_on_it() -> None:
    agent = PPO(
        "MlpPolicy", gymnasium.make("pgrobot/HalfCheetah-v5"), n_steps=128, batch_size=64, device="cpu"
    )
    before = [parameter.clone() for parameter in agent.policy.parameters()]
    agent.learn(256)
    assert agent.num_timesteps == 256
    assert any((old != new).any() for old, new in zip(before, agent.policy.parameters(), strict=True))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
@pytest.mark.parametrize("robot", ["Hopper", "Ant"])  # Ant's simulations keep data for its forces of contact
def test_a_copy_of_an_environment_goes_on_as_it_does(robot: str, copied: Callable[[Any], Any]) -> None:
    """In the middle of an episode, over its end and a reset without a seed; Gymnasium's time limit included."""
    costs = {"speed": {}, "action_rate": {"limit": 0.1}}
    one = gymnasium.make(f"pgrobot/{robot}-v5", max_episode_steps=12, costs=costs, reset_noise_scale=0.01)
    one.reset(seed=3)
    actions = np.random.default_rng(0).uniform(-1, 1, (30, *one.action_space.shape)).astype(np.float32)
    for action in actions[:5]:
        one.step(action)
    other = copied(one)
    assert other.unwrapped.model is not one.unwrapped.model
    for action in actions[5:]:
        told = [environment.step(action) for environment in (one, other)]
        assert_same(*told)
        if told[0][2] or told[0][3]:
            assert_same(*(environment.reset() for environment in (one, other)))
    assert one.unwrapped.np_random.random() == other.unwrapped.np_random.random()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_of_a_vector_environment_goes_on_as_it_does(copied: Callable[[Any], Any]) -> None:
    one = gymnasium.make_vec("pgrobot/Hopper-v5", num_envs=3, threads=1, reset_noise_scale=0.01)
    one.reset(seed=3)
    actions = np.random.default_rng(0).uniform(-1, 1, (60, 3, 3)).astype(np.float32)
    for action in actions[:7]:
        one.step(action)
    other = copied(one)
    ends = 0
    for action in actions[7:]:
        told = [environment.step(action) for environment in (one, other)]
        assert_same(*told)
        ends += int((told[0][2] | told[0][3]).sum())
    assert ends >= 2
    one.close()
    other.close()


def test_an_environment_that_was_never_reset_can_be_copied() -> None:
    one = gymnasium.make("pgrobot/Swimmer-v5")
    other = copy.deepcopy(one)
    assert np.array_equal(one.reset(seed=1)[0], other.reset(seed=1)[0])


def assert_same(one: Any, other: Any) -> None:
    """Bit for bit, in nested tuples and dicts."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = tuple(one.values()), tuple(other.values())
    if isinstance(one, (tuple, list)) or (isinstance(one, np.ndarray) and one.dtype == object):
        for mine, theirs in zip(one, other, strict=True):
            assert_same(mine, theirs)
    else:
        assert np.array_equal(one, other)


def test_gymnasium_finds_a_robot_by_its_module_before_anything_is_imported(tmp_path: Path) -> None:
    program = (
        "import gymnasium, sys\n"
        "assert 'pgrobot' not in sys.modules\n"
        "one = gymnasium.make('pgrobot.envs:pgrobot/Hopper-v5')\n"
        "print(one.reset(seed=1)[0].shape, one.spec.id)\n"
        "many = gymnasium.make_vec('pgrobot.envs:pgrobot/Hopper-v5', num_envs=2)\n"
        "print(many.reset(seed=1)[0].shape)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert answer.stdout.splitlines() == ["(11,) pgrobot/Hopper-v5", "(2, 11)"], answer.stderr
