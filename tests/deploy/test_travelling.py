"""A wrapper that makes what a policy reads travels with it; noise and delays stay, and ``spec.json`` says so."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

import pgrobot
from pgrobot.assembly import build_environment
from pgrobot.deploy.travelling import unwrapped
from pgrobot.distributions import Distribution
from pgrobot.errors import PgrobotError
from pgrobot.past import saved_config
from pgrobot.policies import Policy
from pgrobot.randomness import stream
from pgrobot.run.evaluation import DETERMINISTIC, actor
from pgrobot.simulation.wrappers import WrappedEnvironment
from pgrobot.spec_file import read_spec
from pgrobot.types import Environment, EnvironmentSpec, Observation, ObservationGroup, Step


class Noisy(WrappedEnvironment):
    """Where nothing travels, nothing is asked of it."""


class LastTwo(WrappedEnvironment):
    """Shows the observation of the step before beside that of now; at an episode's start twice the same."""

    travels = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        width = environment.spec.observation["policy"].width
        wide = ObservationGroup.numbered("policy", (2 * width,))
        self.spec = replace(self.spec, observation={"policy": wide})

    def reset(self) -> Observation:
        self._before = self.environment.reset()["policy"].copy()
        return {"policy": np.concatenate((self._before, self._before), -1)}

    def step(self, action: np.ndarray) -> Step:
        step = self.environment.step(action)
        ended = (step.terminated | step.truncated)[:, None]
        before = np.where(ended, step.obs["policy"], self._before)
        shown = np.concatenate((before, step.obs["policy"]), -1)
        following = np.concatenate((self._before, step.next_obs["policy"]), -1)
        self._before = step.obs["policy"].copy()
        return replace(step, obs={"policy": shown}, next_obs={"policy": following})

    def restart(self, ids: np.ndarray) -> Observation:
        obs = self.environment.restart(ids)["policy"]
        self._before[ids] = obs[ids]
        return {"policy": np.concatenate((self._before, obs), -1)}

    def own_state(self) -> dict[str, Any]:
        return {"before": torch.from_numpy(self._before.copy())}

    @classmethod
    def carried(cls, policy: Policy, spec: EnvironmentSpec) -> tuple[Policy, EnvironmentSpec]:
        width = spec.observation["policy"].width // 2
        narrow = ObservationGroup.numbered("policy", (width,))
        return Remembering(policy, width), replace(spec, observation={"policy": narrow})


class Remembering(Policy):
    """A policy that keeps the observation before, for one that reads two."""

    groups = ("policy",)

    def __init__(self, policy: Policy, width: int) -> None:
        super().__init__({"policy": width})
        self.origin.fixed.fill_(1)
        self.origin.value.copy_(policy.origin.value[:width])
        self.policy, self.width = policy, width
        self.carry_size, self.action_size = width + policy.carry_size, policy.action_size

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Distribution, Tensor]:
        now, (before, inner) = obs["policy"], carry.split((self.width, self.policy.carry_size), -1)
        before = torch.where(episode_start.unsqueeze(-1), now, before)
        distribution, inner = self.policy({"policy": torch.cat((before, now), -1)}, inner, episode_start)
        return distribution, torch.cat((now, inner), -1)


WRAPPERS = {
    name: {"_target_": f"{__name__}.{kind}", "_partial_": True}
    for name, kind in {"noise": "Noisy", "history": "LastTwo"}.items()
}


@pytest.fixture(scope="module")
def travelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("travel") / "run"
    pgrobot.train(
        quiet=True, task="hopper", debug="tiny", num_envs=4, horizon=16, total_steps=64, threads=1, tracker=[],
        **{
            "algorithm.policy_solver.minibatch": 32, "hydra.run.dir": run, "modules": [__name__],
            **{f"+wrapper.{name}.{key}": value for name, node in WRAPPERS.items() for key, value in node.items()},
        },
    )  # fmt: skip
    return run


def test_the_policy_takes_along_what_travels_and_nothing_else(travelled: Path) -> None:
    spec = read_spec(travelled)
    assert spec.left_behind == ("noise",)
    assert spec.observation["policy"].width == 22
    policy = pgrobot.load(travelled, modules=[__name__])
    assert (policy.spec.observation["policy"].width, policy.policy.carry_size) == (11, 11)
    cfg = saved_config(travelled)
    cfg.modules = [__name__]
    wide, cfg.wrapper = build_environment(cfg, 3, 5, 1), {}
    bare = build_environment(cfg, 3, 5, 1)
    judged = actor(policy.policy.policy, wide.spec, DETERMINISTIC, stream(0, "noise"))  # type: ignore[arg-type]
    two, one, start = wide.reset(), bare.reset(), np.ones(3, bool)
    for _ in range(40):
        action = judged(two, start)
        assert np.array_equal(policy.act(one["policy"]), action)
        two, step = wide.step(action).obs, bare.step(action)
        one, start = step.obs, step.terminated | step.truncated
        policy.reset(start)
    assert start.shape == (3,)
    wide.close()
    bare.close()


def test_what_stays_is_not_even_imported_and_what_travels_says_how(travelled: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(travelled, tmp_path / "run"))
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["wrapper"]["noise"]["_target_"] = "nowhere.Noise"
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    assert pgrobot.load(run, modules=[__name__]).act(np.zeros(11)).shape == (3,)
    content["wrapper"]["history"]["_target_"] = f"{__name__}.Noisy"
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(
        PgrobotError, match=r"wrapper\.history travels with its policy, but has no class method"
    ):
        pgrobot.load(run, modules=[__name__])


class Told(WrappedEnvironment):
    """Notes in which order wrappers are put in front of a policy, and with which settings."""

    travels = True

    def __init__(self, environment: Environment, word: str) -> None:
        super().__init__(environment)
        self.word = word

    @classmethod
    def carried(cls, policy: Policy, spec: EnvironmentSpec, word: str = "") -> tuple[Policy, EnvironmentSpec]:
        return policy, replace(spec, name=f"{spec.name} {word}")


def test_the_outermost_wrapper_is_the_nearest_to_the_policy(travelled: Path) -> None:
    cfg = saved_config(travelled)
    cfg.modules = [__name__]
    cfg.wrapper = {
        word: {"_target_": f"{__name__}.Told", "_partial_": True, "word": word} for word in ("inner", "outer")
    }
    policy = pgrobot.load(travelled, modules=[__name__]).policy
    _, spec = unwrapped(cfg, policy, replace(read_spec(travelled), name="Robot", left_behind=()))
    assert spec.name == "Robot outer inner"
