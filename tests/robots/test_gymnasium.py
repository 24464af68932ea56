"""Every robot, version and set of options equals Gymnasium's own implementation over many random steps."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

import pgrobot.conf
from pgrobot.envs.hopper import Hopper
from pgrobot.envs.pusher import Pusher
from pgrobot.errors import PgrobotError
from pgrobot.simulation import Robot

Options = dict[str, Any]
TASKS = Path(pgrobot.conf.__path__[0]) / "task"
TITLES = {
    "ant": "Ant",
    "halfcheetah": "HalfCheetah",
    "hopper": "Hopper",
    "humanoid": "Humanoid",
    "humanoidstandup": "HumanoidStandup",
    "inverteddoublependulum": "InvertedDoublePendulum",
    "invertedpendulum": "InvertedPendulum",
    "pusher": "Pusher",
    "reacher": "Reacher",
    "swimmer": "Swimmer",
    "walker2d": "Walker2d",
}
SEE_POSITION = {"exclude_current_positions_from_observation": False}
BLIND = {
    "include_cinert_in_observation": False,
    "include_cvel_in_observation": False,
    "include_qfrc_actuator_in_observation": False,
    "include_cfrc_ext_in_observation": False,
}
# What both versions of a robot take, away from the defaults; then what only v5 takes.
OPTIONS: dict[str, Options] = {
    "ant": {"ctrl_cost_weight": 0.3, "healthy_reward": 0.7, "healthy_z_range": (0.4, 0.8), **SEE_POSITION},
    "halfcheetah": {"forward_reward_weight": 2.0, "ctrl_cost_weight": 0.3, **SEE_POSITION},
    "hopper": {"healthy_state_range": (-3, 3), "healthy_z_range": (0.9, 1.4), "healthy_reward": 0.7},
    "humanoid": {"forward_reward_weight": 0.9, "healthy_z_range": (1.2, 1.5), **SEE_POSITION},
    "humanoidstandup": {},
    "inverteddoublependulum": {},
    "invertedpendulum": {},
    "reacher": {},
    "swimmer": {"forward_reward_weight": 2.0, "ctrl_cost_weight": 0.3, **SEE_POSITION},
    "walker2d": {"healthy_angle_range": (-0.3, 0.6), "ctrl_cost_weight": 0.3, **SEE_POSITION},
}
OPTIONS_V5: dict[str, Options] = {
    "ant": {
        "contact_cost_weight": 0.01,
        "contact_force_range": (-50.0, 50.0),
        "include_cfrc_ext_in_observation": False,
        "main_body": "aux_1",
        "forward_reward_weight": 1.3,
        "frame_skip": 3,
    },
    "halfcheetah": {"frame_skip": 4},
    "hopper": {"xml_file": "walker2d.xml"},
    "humanoid": {"contact_cost_weight": 1e-4, "contact_cost_range": (0.1, 0.6), **BLIND},
    "humanoidstandup": {
        "ctrl_cost_weight": 0.4,
        "impact_cost_weight": 1e-4,
        "impact_cost_range": (0.1, 0.6),
        **SEE_POSITION,
        **BLIND,
    },
    "inverteddoublependulum": {"healthy_reward": 3.0, "reset_noise_scale": 0.3},
    "invertedpendulum": {"reset_noise_scale": 0.1, "frame_skip": 3},
    "pusher": {"reward_near_weight": 0.3, "reward_dist_weight": 0.7, "reward_control_weight": 0.4},
    "reacher": {"reward_dist_weight": 0.3, "reward_control_weight": 0.7, "frame_skip": 3},
    "swimmer": {"frame_skip": 3},
    "walker2d": {"healthy_reward": 0.7},
}
STANDING = {"terminate_when_unhealthy": False}
CASES: list[tuple[str, str, Options]] = [
    *((name, "v5", {}) for name in TITLES),
    *((name, "v4", {}) for name in OPTIONS),
    *((name, "v4", options) for name, options in OPTIONS.items() if options),
    *((name, "v5", OPTIONS.get(name, {}) | options) for name, options in OPTIONS_V5.items()),
    *((name, version, STANDING) for name in ("ant", "hopper", "humanoid") for version in ("v4", "v5")),
    ("ant", "v4", {"use_contact_forces": True, "contact_force_range": (-9.0, 9.0)}),
]


def robot(name: str, **options: Any) -> Robot:
    node: Any = OmegaConf.merge(OmegaConf.load(TASKS / f"{name}.yaml"), options)
    node.pop("defaults", None)
    return instantiate(node, _convert_="all")


def defaults(name: str) -> Options:
    node: Any = OmegaConf.to_container(OmegaConf.load(TASKS / f"{name}.yaml"))
    return {key: value for key, value in node.items() if key not in ("_target_", "defaults")}


@pytest.mark.filterwarnings("ignore:.*out of date:DeprecationWarning")
@pytest.mark.parametrize(("name", "version", "options"), CASES)
def test_equals_gymnasium(name: str, version: str, options: Options) -> None:
    """A robot as it comes up to its time limit; another version or option shows in every step."""
    steps = 1000 if version == "v5" and not options else 200
    compare(name, version, options, steps, dtype=np.float64)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*out of date:DeprecationWarning")
@pytest.mark.parametrize(("name", "version", "options"), CASES[len(TITLES) :])
def test_equals_gymnasium_up_to_the_time_limit(name: str, version: str, options: Options) -> None:
    compare(name, version, options, steps=1000, dtype=np.float64)


@pytest.mark.parametrize("name", ["ant", "hopper", "humanoid", "reacher"])
def test_equals_gymnasium_for_single_precision_actions(name: str) -> None:
    compare(name, "v5", {}, steps=100, dtype=np.float32)


def compare(name: str, version: str, options: Options, steps: int, dtype: type) -> None:
    reference = gymnasium.make(f"{TITLES[name]}-{version}", disable_env_checker=True, **options)
    environment = robot(name, version=version, **options).make(num_envs=1, costs={}, seed=0, threads=1)
    data, spec = reference.unwrapped.data, environment.spec
    random = np.random.default_rng(0)
    only = np.array([0])

    first, _ = reference.reset(seed=0)
    obs = environment.set_state(only, data.qpos, data.qvel)
    for _ in range(steps):
        assert np.array_equal(obs["policy"][0], first)
        action = random.uniform(spec.action_low, spec.action_high).astype(dtype)
        successor, reward, terminated, truncated, info = reference.step(action)
        step = environment.step(action[None])
        assert np.array_equal(step.next_obs["policy"][0], successor)
        assert step.reward[0] == reward
        assert (step.terminated[0], step.truncated[0]) == (terminated, truncated)
        if version == "v5":
            published = [info.get(f"reward_{term}", info.get(term, 1.0)) for term in spec.reward_terms]
            assert list(step.terms[0]) == published
        assert step.terms[0].sum() == pytest.approx(reward, rel=1e-12)
        first = successor
        obs = step.obs
        if terminated or truncated:
            first, _ = reference.reset()
            obs = environment.set_state(only, data.qpos, data.qvel)


@pytest.mark.parametrize("name", TITLES)
def test_defaults_are_gymnasiums(name: str) -> None:
    node = OmegaConf.to_container(OmegaConf.load(TASKS / f"{name}.yaml"))
    registered = gymnasium.spec(f"{TITLES[name]}-v5")
    theirs = inspect.signature(
        gymnasium.envs.registration.load_env_creator(registered.entry_point)
    ).parameters
    ours = {key: tuple(value) if isinstance(value, list) else value for key, value in node.items()}
    assert ours["max_episode_steps"] == registered.max_episode_steps
    assert ours["version"] == "v5"
    for option, parameter in theirs.items():
        if option == "xml_file":
            assert robot(name).models["v5"] == parameter.default
        elif option not in ("default_camera_config", "kwargs"):
            assert ours[option] == parameter.default


def test_pusher_v4_is_refused_as_in_gymnasium() -> None:
    with pytest.raises(PgrobotError, match=r"task\.version=v5"):
        Pusher(**(defaults("pusher") | {"version": "v4"}))


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(PgrobotError, match=r"task\.version=v6 does not exist for Hopper"):
        Hopper(**(defaults("hopper") | {"version": "v6"}))
