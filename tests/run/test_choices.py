"""Environments whose actions are choices: the head is chosen with them, and a run of one is a run like any other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
import yaml
from gymnasium import spaces
from omegaconf import OmegaConf

import pgrobot
from pgrobot.cli import main
from pgrobot.configure import build, compose, validated
from pgrobot.errors import PgrobotError
from pgrobot.policies.heads.categorical import CategoricalHead
from pgrobot.randomness import stream
from pgrobot.run import choosing, prepare
from pgrobot.run.choices import suited
from pgrobot.run.evaluation import actor
from pgrobot.types import Action

from .conftest import Train, metrics, start

ID = "toys/Switches-v0"
SWITCHES = (3, 1, 2)


class Switches(gymnasium.Env[Any, Any]):
    """Told what to do by three switches of unlike many positions; the last of each earns, and the first one costs."""

    metadata = {"render_modes": []}  # noqa: RUF012
    observation_space = spaces.Box(-1.0, 1.0, (1,))
    action_space: Any = spaces.MultiDiscrete(SWITCHES)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action: np.ndarray) -> Any:
        assert self.action_space.contains(action), action
        told = np.ravel(action)
        return np.zeros(1, np.float32), float(told.sum()), False, False, {"cost": float(told[0] == 2)}


class Buttons(Switches):
    action_space = spaces.MultiBinary((2, 2))


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    for name, kind in ((ID, Switches), ("toys/Buttons-v0", Buttons)):
        gymnasium.register(name, kind, max_episode_steps=8, disable_env_checker=True)
    yield
    for name in (ID, "toys/Buttons-v0"):
        del gymnasium.registry[name]


CARTPOLE = ("task=gymnasium", "task.id=CartPole-v1", "+task.kwargs.max_episode_steps=20")
OWN = ("task=gymnasium", f"task.id={ID}")


def config(*overrides: str) -> Any:
    small = ("debug=tiny", "num_envs=4", "horizon=16", "algorithm.policy_solver.minibatch=32")
    return validated(compose([*small, *overrides]))


def test_a_run_chooses_its_head_and_is_a_run_like_any_other(
    tmp_path: Path, train: Train, resume: Train
) -> None:
    """What it chose stands in its directory: it is evaluated, resumed in the midst of its episodes, and extended."""
    run = train("run", *CARTPOLE, "policy.hidden=[8]", "diagnostics.gradients.every=1").path
    head = OmegaConf.load(run / "config.yaml").policy.head._target_
    assert head.endswith("CategoricalHead")
    assert yaml.safe_load((run / "overrides.yaml").read_text())[-1] == "policy/head=categorical"
    whole = metrics(run)
    assert all(key in whole[-1] for key in ("policy/entropy", "gradient/policy/total"))
    told = pgrobot.evaluate(run, mode="deterministic", episodes=3, seed=1)
    assert told["return"]["mean"] >= 8.0
    (run / "result.json").unlink()
    shutil.copy(run / "checkpoints" / "step_128.pt", run / "checkpoints" / "last.pt")
    resume(run)
    assert metrics(run) == whole
    resume(run, "total_steps=320")
    assert len(metrics(run)) == len(whole) + 1


def test_a_sweep_that_was_cut_finds_its_runs_again(tmp_path: Path) -> None:
    command = [
        "train", "-m", "debug=tiny", *CARTPOLE, "num_envs=4", "horizon=16", "total_steps=64", "seed=0,1", "threads=1",
        "algorithm.policy_solver.minibatch=32", "policy.hidden=[4]", f"hydra.sweep.dir={tmp_path / 'sweep'}",
    ]  # fmt: skip
    assert main(command) == 0
    results = sorted((tmp_path / "sweep").glob("*/result.json"))
    assert len(results) == 2
    kept = json.loads(results[0].read_text())
    results[1].unlink()
    assert main(command) == 0
    assert results[1].exists()
    assert json.loads(results[0].read_text()) == kept
    assert len((tmp_path / "sweep" / "summary.csv").read_text().splitlines()) == 2, "one setting, two seeds"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("policy=gaussian", "'action0' is one of 2 choices: use policy/head=categorical"),
        ("policy/head=beta", "'action0' is one of 2 choices: use policy/head=categorical"),
        ("policy.log_std=-1.0", "'action0' is one of 2 choices: use policy/head=categorical"),
        ("experiment=on_ant", "'action0' is one of 2 choices: use policy/head=categorical"),
        ("constraint=torque", "constraint 'torque' is measured in a pgrobot robot, which CartPole-v1 is not"),
    ],
)
def test_what_does_not_go_with_choices_is_refused_before_anything_is_made(
    typed: str, sentence: str, tmp_path: Path
) -> None:
    request = prepare(["debug=tiny", *CARTPOLE, typed, f"hydra.run.dir={tmp_path / 'run'}"])
    with pytest.raises(PgrobotError, match=sentence):
        start(request)
    assert not (tmp_path / "run").exists()


def test_only_choices_choose() -> None:
    request = prepare(["debug=tiny"])
    assert suited(request, Action.unitless("hip")) is request
    assert suited(request, (Action("gripper", "", 3), *Action.unitless("hip"))) is request
    chosen = suited(request, (Action("gripper", "", 3),))
    assert chosen.cfg.policy.head._target_.endswith("CategoricalHead")
    assert chosen.cfg == prepare(["debug=tiny", "policy/head=categorical"]).cfg
    assert choosing(chosen) is chosen, "what is chosen stays"


@pytest.mark.parametrize(
    "algorithm",
    [
        ["algorithm=ppo"],
        ["algorithm=trpo"],
        ["algorithm=npg", "algorithm/baseline=none", "algorithm.normalisation=centred"],
        ["algorithm=a2c", "algorithm/baseline=optimal"],
        [
            "algorithm=reinforce",
            "algorithm/baseline=quadratic",
            "+algorithm.objective.control={_target_:pgrobot.objectives.ControlVariate,weight:1.0}",
        ],
    ],
    ids=lambda typed: "-".join(typed[:2]),
)
def test_unlike_numbers_of_choices_learn_under_a_budget(algorithm: list[str]) -> None:
    """What a switch that is ruled out would be has neither probability nor gradient, whatever learns."""
    small = ["debug=tiny", "num_envs=4", "horizon=16", "policy.hidden=[4]", "policy/head=categorical"]
    typed = [*small, *OWN, "constraint=cost", "constraint.cost.budget=1.0", *algorithm]
    if algorithm == ["algorithm=ppo"]:
        typed.append("algorithm.policy_solver.minibatch=32")
    assembly = build(validated(compose(typed)), 1)
    before = torch.cat([x.detach().flatten() for x in assembly.policy.parameters()])
    for _ in range(3):
        rollout = assembly.collector.collect()["robot"]
        told = assembly.learners["robot"].update(rollout)
        assert told["guard/skipped_updates"] == 0.0
        assert bool((rollout.action < torch.tensor(SWITCHES)).all())
        assert torch.equal(rollout.reward[..., 1], (rollout.action[..., 0] == 2.0).float())
        assert told["cost/cost/mean"] >= 0.0
    after = torch.cat([x.detach().flatten() for x in assembly.policy.parameters()])
    assert bool(after.isfinite().all())
    assert not torch.equal(before, after)
    assembly.environment.close()


def test_the_deterministic_action_is_the_most_likely_choice() -> None:
    assembly = build(config(*OWN, "policy/head=categorical"), 1)
    policy = assembly.policy
    assert isinstance(policy.head, CategoricalHead)
    with torch.no_grad():
        policy.output.weight.zero_()
        policy.output.bias.copy_(torch.tensor([0.0, 1.0, 0.9, 5.0, -1.0, 1.0]))
    obs = assembly.environment.reset()
    act = actor(policy, assembly.environment.spec, "deterministic", stream(0, "noise"))
    assert act(obs, np.ones(4, bool)).tolist() == [[1.0, 0.0, 1.0]] * 4
    assembly.environment.close()


def test_buttons_are_choices_of_two() -> None:
    assembly = build(config("task=gymnasium", "task.id=toys/Buttons-v0", "policy/head=categorical"), 1)
    assert [action.choices for action in assembly.environment.spec.actions] == [2, 2, 2, 2]
    rollout = assembly.collector.collect()["robot"]
    assert torch.equal(rollout.reward[..., 0], rollout.action.sum(-1))
    assembly.environment.close()


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        (
            spaces.Dict(gripper=spaces.Discrete(2), arm=spaces.Box(-1.0, 1.0, (3,))),
            r"Switches-v0 takes Dict actions \(gripper: Discrete, arm: Box\); a policy draws those of one Box",
        ),
        (
            spaces.Tuple((spaces.Discrete(2), spaces.MultiBinary(3))),
            r"takes Tuple actions \(0: Discrete, 1: M",
        ),
        (spaces.Text(3), r"takes Text actions; a policy draws those of one Box, Discrete, MultiDiscrete or"),
    ],
)
def test_other_spaces_are_refused_by_name(
    space: Any, sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Switches, "action_space", space)
    with pytest.raises(PgrobotError, match=sentence):
        start(prepare(["debug=tiny", *OWN, f"hydra.run.dir={tmp_path / 'run'}"]))
    assert not (tmp_path / "run").exists()
