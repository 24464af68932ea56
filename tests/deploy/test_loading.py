"""A policy is loaded from its run alone, acts as evaluations do, and what does not fit is told in a sentence."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
import yaml

import pgrobot
from pgrobot.assembly import build_environment
from pgrobot.deploy import TrainedPolicy
from pgrobot.errors import PgrobotError
from pgrobot.past import saved_config
from pgrobot.randomness import stream
from pgrobot.run import Result
from pgrobot.run.evaluation import DETERMINISTIC, actor

OLD = Path(__file__).parents[1] / "run" / "made_by_7662861"


def change(run: Path, **keys: object) -> None:
    content = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(content | keys))


def test_it_acts_as_the_evaluation_does_to_the_last_bit(trained: Path) -> None:
    policy = pgrobot.load(trained)
    environment = build_environment(saved_config(trained), 4, 7, 1)
    judged = actor(policy.policy, environment.spec, DETERMINISTIC, stream(0, "noise"))
    obs, start = environment.reset(), np.ones(4, bool)
    try:
        for _ in range(60):
            action = judged(obs, start)
            acted = policy.act(obs["policy"])
            assert (acted.dtype, acted.shape) == (np.float64, (4, 3))
            assert np.array_equal(acted, action)
            step = environment.step(action)
            start = step.terminated | step.truncated
            policy.reset(start)
            obs = step.obs
    finally:
        environment.close()


def test_it_is_what_the_checkpoint_holds(trained: Path) -> None:
    obs = np.linspace(-1, 1, 11)
    names = ("best", "last", "step_128", 128, trained / "checkpoints" / "last.pt")
    best, last, first, same, path = (pgrobot.load(trained, name) for name in names)  # type: ignore[arg-type]
    assert json.loads((trained / "result.json").read_text())["best_step"] == best.step
    assert (last.step, first.step) == (256, 128)
    assert np.array_equal(first.act(obs), same.act(obs))
    assert np.array_equal(last.act(obs), path.act(obs))
    assert not np.array_equal(first.act(obs), last.act(obs))
    assert not any(module.training for module in best.policy.modules())
    assert str(best).startswith("<TrainedPolicy for Hopper-v5, ")
    for named in (
        np.int64(128),
        "128",
        "checkpoints/step_128.pt",
    ):  # as NumPy counts, as typed, as result.json has it
        assert pgrobot.load(trained, named).step == 128  # type: ignore[arg-type]
    result = Result(trained, "finished", {}, {}, 0, "")
    assert np.array_equal(pgrobot.load(result).act(obs), best.act(obs))


def test_it_drives_gymnasiums_own_robot(trained: Path) -> None:
    policy = pgrobot.load(trained)
    robot = gymnasium.make("Hopper-v5")
    obs, _ = robot.reset(seed=0)
    policy.reset()
    for _ in range(200):
        obs, _, terminated, truncated, _ = robot.step(policy.act(obs))
        if terminated or truncated:
            break
    robot.close()
    assert terminated, "an untrained hopper falls"


def test_it_tells_names_units_and_bounds(trained: Path) -> None:
    spec = pgrobot.load(trained).spec
    assert spec.actuators == ("thigh_joint", "leg_joint", "foot_joint")
    assert spec.actions[0].unit == "200 N·m"
    assert spec.observation["policy"].names[0] == "qpos/rootz"
    assert (spec.control_dt, spec.action_high.tolist()) == (0.008, [1.0] * 3)


def test_nothing_of_a_simulator_is_imported(trained: Path) -> None:
    program = (
        "import sys, numpy, pgrobot\n"
        f"policy = pgrobot.load({str(trained)!r})\n"
        "policy.act(numpy.zeros(11)), policy.spec, policy.predict(numpy.zeros((2, 11)))\n"
        "print([name for name in ('mujoco', 'gymnasium', 'dm_control', 'hydra') if name in sys.modules])\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "[]", answer.stderr


def test_the_package_of_the_task_need_not_be_there_but_that_of_the_policy(run: Path) -> None:
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["task"]["_target_"] = "their_robots.Hopper"
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    assert pgrobot.load(run).act(np.zeros(11)).shape == (3,)
    content["policy"]["_target_"] = "their_policies.Policy"
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(PgrobotError, match=r"their_policies.Policy.*not trusted.*modules=\[their_policies\]"):
        pgrobot.load(run)
    with pytest.raises(PgrobotError, match=r"'their_policies', which Python does not find"):
        pgrobot.load(run, modules=["their_policies"])


def test_a_run_of_another_version_is_told(run: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(OLD, tmp_path / "old"))
    with pytest.raises(PgrobotError, match=r"old has no spec.json: .* older version.*\(resume=.*old\)"):
        pgrobot.load(old)
    shutil.copy(run / "spec.json", old / "spec.json")
    assert isinstance(pgrobot.load(old), TrainedPolicy), "config and checkpoint are completed"
    story = json.loads((run / "manifest.json").read_text())
    story["versions"]["pgrobot"] = "9.9.9"
    (run / "manifest.json").write_text(json.dumps(story))
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["policy"]["_target_"] = "pgrobot.policies.Mamba"
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(PgrobotError, match=r"no 'Mamba'.*was made by pgrobot 9\.9\.9.*and this is pgrobot"):
        pgrobot.load(run)


def test_a_run_that_does_not_fit_its_checkpoint_is_told(run: Path) -> None:
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["policy"]["body"]["hidden"] = [7]
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(PgrobotError, match=r"best\.pt does not fit the config of .*run: .*size mismatch"):
        pgrobot.load(run)
    content["policy"]["body"]["width"] = 7
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(PgrobotError, match=r"best\.pt does not fit the config of .*unexpected keyword"):
        pgrobot.load(run)


def test_a_group_that_is_not_there_is_told(run: Path) -> None:
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["policy"]["groups"] = ["polcy"]
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(PgrobotError, match=r"policy\.groups names 'polcy'.*did you mean 'policy'"):
        pgrobot.load(run)


HALVES = {
    "nothing": (shutil.rmtree, "There is no run directory"),
    "config": (lambda run: (run / "config.yaml").unlink(), "is not a run directory: it lacks config.yaml"),
    "half a config": (lambda run: (run / "config.yaml").write_text("policy: {a: ["), "config.yaml cannot be read"),
    "spec": (lambda run: (run / "spec.json").unlink(), "has no spec.json"),
    "half a spec": (lambda run: (run / "spec.json").write_text('{"name": "Ho'), "spec.json is not a spec of pgrobot"),
    "no checkpoint": (
        lambda run: [path.unlink() for path in (run / "checkpoints").iterdir()],
        "has no checkpoint 'best': there is none",
    ),
    "half a checkpoint": (
        lambda run: (run / "checkpoints" / "best.pt").write_bytes(
            (run / "checkpoints" / "best.pt").read_bytes()[:2000]
        ),
        "best.pt is not a checkpoint, or it is damaged or cut short",
    ),
    "another's checkpoint": (
        lambda run: torch.save({"a": 1}, run / "checkpoints" / "best.pt"),
        "of another program, not a checkpoint of pgrobot",
    ),
}  # fmt: skip


def test_a_config_cut_short_is_told(run: Path) -> None:
    whole = (run / "config.yaml").read_text().splitlines(keepends=True)
    for lines in (0, 1, 5, len(whole) // 4):
        (run / "config.yaml").write_text("".join(whole[:lines]))
        with pytest.raises(PgrobotError, match=r"config.yaml|config of"):
            pgrobot.load(run)


def test_a_spec_that_contradicts_itself_is_told(run: Path) -> None:
    whole = json.loads((run / "spec.json").read_text())
    action, group = whole["actions"][0], whole["observation"]["policy"]
    for broken, sentence in (
        ({"actions": [action | {"low": 2.0}]}, "action 'thigh_joint' has low 2.0 above high 1.0"),
        (
            {"observation": {"policy": group | {"names": [*group["names"], "more"]}}},
            "observation 'policy' has 12 names and the shape (11,), of 11",
        ),
        ({"action_form": {"shape": [2], "dtype": "float32", "start": []}}, "and there are 3 actions"),
        ({"control_dt": 0.0}, "have to be positive"),
        (
            {"parts": [{"path": [], "group": "eye", "shape": [3], "choices": [], "start": []}]},
            "of the observation 'eye', which is not there",
        ),
    ):
        (run / "spec.json").write_text(json.dumps(whole | broken))
        with pytest.raises(PgrobotError, match=re.escape(sentence)):
            pgrobot.load(run)


@pytest.mark.parametrize("call", [pgrobot.load, pgrobot.evaluate, pgrobot.export])
def test_what_names_no_run_is_told(call: Callable[..., Any], trained: Path) -> None:
    for run in (None, 3, "", pgrobot.load(trained)):
        with pytest.raises(PgrobotError, match="run has to be a run directory, or what train returned, not "):
            call(run)
    with pytest.raises(PgrobotError, match="output has to be a directory, not 3"):
        pgrobot.export(trained, output=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("half", HALVES)
def test_half_a_run_is_told(half: str, run: Path) -> None:
    spoil, sentence = HALVES[half]
    spoil(run)
    with pytest.raises(PgrobotError, match=re.escape(sentence)):
        pgrobot.load(run)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("bets", "has no checkpoint 'bets': did you mean 'best'?"),
        (127, "has no checkpoint 'step_127': did you mean 'step_128'"),
        (True, "checkpoint has to be best, last, a step or a path, not True"),
        (None, "checkpoint has to be best, last, a step or a path, not None"),
        ("elsewhere.pt", "There is no checkpoint elsewhere.pt"),
        (6144, "has no checkpoint 'step_6144'"),
        ("6144", "has no checkpoint 'step_6144'"),
    ],
)
def test_a_checkpoint_that_is_not_there_is_told(name: object, sentence: str, trained: Path) -> None:
    with pytest.raises(PgrobotError, match=re.escape(sentence)):
        pgrobot.load(trained, name)  # type: ignore[arg-type]
