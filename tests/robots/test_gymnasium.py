"""Every robot equals Gymnasium's own implementation, to the last bit, over 1,000 random steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

import pgrobot.conf
from pgrobot.simulation import Robot

TASKS = Path(pgrobot.conf.__path__[0]) / "task"


def robot(name: str, **options: Any) -> Robot:
    config = OmegaConf.merge(OmegaConf.load(TASKS / f"{name}.yaml"), options)
    return instantiate(config, _convert_="all")


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("halfcheetah", "HalfCheetah", {"forward_reward_weight": 2.0, "ctrl_cost_weight": 0.3}),
    ("hopper", "Hopper", {"healthy_z_range": [0.9, 1.4], "healthy_reward": 0.7}),
    ("walker2d", "Walker2d", {"healthy_angle_range": [-0.3, 0.6]}),
]


@pytest.mark.filterwarnings("ignore:.*out of date:DeprecationWarning")
@pytest.mark.parametrize("version", ["v5", "v4"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
@pytest.mark.parametrize("default", [True, False])
def test_equal(case, version, default):
    name, title, options = case
    compare(
        robot(name, version=version, **({} if default else options)),
        gymnasium.make(f"{title}-{version}", **({} if default else options)),
    )


def compare(ours, reference):
    environment = ours.make(num_envs=1, costs={}, seed=0, threads=1)
    random = np.random.default_rng(0)
    low, high = environment.spec.action_low, environment.spec.action_high
    inner = reference.unwrapped
    reference.reset(seed=0)
    obs = environment.set_state(np.array([0]), inner.data.qpos, inner.data.qvel)
    first = inner._get_obs()
    assert np.array_equal(obs["policy"][0], first)
    for _ in range(1000):
        action = random.uniform(low, high)
        expected, reward, terminated, truncated, info = reference.step(action)
        step = environment.step(action[None])
        assert np.array_equal(step.next_obs["policy"][0], expected)
        assert step.reward[0] == reward
        assert step.terminated[0] == terminated
        assert step.truncated[0] == truncated
        for term, value in zip(environment.spec.reward_terms, step.terms[0], strict=True):
            key = f"reward_{term}"
            if key in info:
                assert value == info[key]
        if terminated or truncated:
            expected, _ = reference.reset()
            obs = environment.set_state(np.array([0]), inner.data.qpos, inner.data.qvel)
            assert np.array_equal(obs["policy"][0], expected)
