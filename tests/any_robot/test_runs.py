"""A robot by its path, from the command line to everything that a run can be asked afterwards."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from own_models import WALKER
from rich.console import Console

import pgrobot
from pgrobot.assembly import build_environment
from pgrobot.cli import main
from pgrobot.configure import compose, options, validated
from pgrobot.envs.any_robot import AnyRobot
from pgrobot.run import Surroundings, nobody, prepare, run

TINY = [
    "debug=tiny", "num_envs=4", "horizon=16", "total_steps=128", "threads=1", "algorithm.policy_solver.minibatch=32",
    "task.max_episode_steps=40",
]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("robots") / "walker.xml"
    file.write_text(WALKER)
    return file


@pytest.fixture(scope="module")
def trained(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run under budgets, with terms and a contact that are named, and what it printed."""
    folder = tmp_path_factory.mktemp("runs")
    typed = [
        "task=robot", f"task.xml_file={model}", "task/rewards=[velocity,alive,pose,feet_air_time]",
        "task.rewards.feet_air_time.parts=[left_foot]", "task.rewards.alive.weight=0.5",
        "task/terminations=[low,contact]", "task.terminations.contact.parts=[trunk]", "constraint=[torque,fall]",
    ]  # fmt: skip
    console = Console(record=True, width=200, file=StringIO())
    request = prepare([*typed, *TINY, f"hydra.run.dir={folder / 'run'}"])
    run(request, Surroundings(("pytest",), "", "", 0, console, nobody))
    return folder / "run", console.export_text()


def test_a_run_says_at_its_start_what_the_robot_is(trained: tuple[Path, str]) -> None:
    lines = trained[1].splitlines()
    assert lines[0] == "base       trunk, which flies free; it starts 0.44 m high in the pose crouch"
    assert "reward     1 velocity + 0.5 alive + 1 pose + 1 feet_air_time" in lines
    assert "ends by    low, contact" in lines


def test_the_run_goes_by_its_own_copy_afterwards(trained: tuple[Path, str], model: Path) -> None:
    path = trained[0]
    assert (path / "model" / "walker.xml").read_text() == WALKER
    first = pgrobot.evaluate(path, episodes=2)
    kept = model.rename(model.with_suffix(".away"))
    assert pgrobot.evaluate(path, episodes=2)["return"] == first["return"]
    assert {"torque", "fall"} == set(first["costs"])
    resumed = run(prepare([f"resume={path}", "total_steps=192"]), surroundings())
    assert resumed.status == "finished"
    kept.rename(model)


def surroundings() -> Surroundings:
    return Surroundings(("pytest",), "", "", 0, Console(quiet=True), nobody)


def test_the_policy_acts_without_a_simulator(trained: tuple[Path, str]) -> None:
    policy = pgrobot.load(trained[0])
    assert np.isfinite(policy.act(np.zeros(27))).all()


def test_everything_that_can_be_named_works_as_it_is(model: Path) -> None:
    known = options([])
    paid, ends = known["task/rewards"], known["task/terminations"]
    typed = [f"task/rewards=[{','.join(paid)}]", f"task/terminations=[{','.join(ends)}]"]
    typed += ["task=robot", f"task.xml_file={model}", "task.terminations.contact.parts=[left_foot]"]
    typed += ["task.rewards.feet_air_time.parts=[left_foot,right]"]
    environment = build_environment(validated(compose(typed)), 2, 0, 1)
    environment.reset()
    step = environment.step(np.zeros((2, 3)))
    assert sorted(environment.spec.reward_terms) == sorted(paid)
    assert np.isfinite(step.terms).all()
    assert {f"termination/{name}" for name in ends} <= set(step.telemetry)


def test_a_class_of_ones_own_has_only_what_every_robot_has() -> None:
    """And goes on to be named as it always was."""
    typed = ["task=robot", "task._target_=pgrobot.envs.swimmer.Swimmer", "+task.forward_reward_weight=1"]
    task = compose(typed).task
    assert set(task) == {
        "_target_", "name", "version", "xml_file", "frame_skip", "max_episode_steps", "speed_threshold",
        "forward_reward_weight",
    }  # fmt: skip
    assert (task.frame_skip, task.xml_file) == (1, "default")
    typed = ["task=robot", f"task._target_={AnyRobot.__module__}.AnyRobot", "task.xml_file=ant.xml"]
    assert compose(typed).task == compose(["task=robot", "task.xml_file=ant.xml"]).task


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ([], "task.xml_file must be given: add task.xml_file=<value>"),
        (["task.xml_file=nowhere/robot.xml"], "there is no MJCF file 'nowhere/robot.xml', nor a model"),
        (
            ["task.xml_file={model}", "task/rewards=[foward]"],
            "Unknown task/rewards 'foward': did you mean 'forward'",
        ),
        (
            ["task.xml_file={model}", "task/terminations=[contact]"],
            "task.terminations.contact.parts must be given: add task.terminations.contact.parts=<value>",
        ),
        (
            ["task.xml_file={model}", "task.keyframe=crunch"],
            "task.keyframe=crunch is no keyframe of the model: did",
        ),
        (
            ["task.xml_file={model}", "task.frame_skip=-2"],
            "task.frame_skip must be a whole number of at least 0",
        ),
        (
            ["task.xml_file={model}", "task/rewards=[pose]", "task.rewards.pose.joints=[hip_left]"],
            "there is no hinge or slide 'hip_left': ",
        ),
        (
            ["task.xml_file={model}", "constraint=[speed]"],
            "constraint.speed.cost.threshold=inf has to be a positive",
        ),
    ],
)
def test_bad_input_is_answered_before_anything_is_written(
    typed: list[str], sentence: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(model=model) for word in typed]
    assert main(["train", "task=robot", *words, *TINY, f"hydra.run.dir={tmp_path / 'run'}"]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
