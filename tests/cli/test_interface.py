"""The Python interface composes what the command line composes."""

from __future__ import annotations

import argparse
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.utils import get_args_parser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

import pgrobot
from pgrobot.cli import main
from pgrobot.errors import PgrobotError
from pgrobot.overrides import parse
from pgrobot.provenance import source_commit
from pgrobot.run import prepare
from pgrobot.settings import as_overrides

PAIRS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"task": "halfcheetah", "seed": 3}, ["task=halfcheetah", "seed=3"]),
    ({"constraint": ["speed"], "constraint.speed.budget": 10}, ["constraint=[speed]", "constraint.speed.budget=10"]),
    ({"constraint": {"speed": {"budget": 10}}}, ["constraint=[speed]", "constraint.speed.budget=10"]),
    ({"constraint": {}}, ["constraint=[]"]),
    ({"constraint": []}, ["constraint=[]"]),
    ({"tracker": []}, ["tracker=none"]),
    ({"evaluation": {"episodes": 5, "seed": 3}}, ["evaluation.episodes=5", "evaluation.seed=3"]),
    ({"experiment": "fast", "policy.hidden": [32, 32]}, ["experiment=fast", "policy.hidden=[32,32]"]),
    ({"compile": False, "total_steps": 1e6}, ["compile=false", "total_steps=1e6"]),
    ({"tracker": "none", "multiplier": "lagrangian"}, ["tracker=none", "multiplier=lagrangian"]),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "overrides"), PAIRS, ids=lambda value: str(value)[:40])
def test_python_and_command_line_compose_the_same(settings: dict[str, Any], overrides: list[str]) -> None:
    assert pgrobot.compose(**settings) == prepare(overrides).cfg


def test_the_saved_config_is_the_composed_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"debug": "tiny", "task": "hopper", "total_steps": 256, "compile": False}
    run = tmp_path / "run"
    assert main(["train", "debug=tiny", "task=hopper", "total_steps=256", f"hydra.run.dir={run}"]) == 0
    assert OmegaConf.load(run / "config.yaml") == pgrobot.compose(**settings)
    told = capsys.readouterr().out
    assert "verdict" in told
    assert f"pgrobot evaluate {run}" in told


@given(
    st.one_of(
        st.text(st.characters(exclude_categories=("C",)), max_size=12),
        st.integers(-(10**9), 10**9),
        st.floats(allow_nan=False),
        st.booleans(),
        st.none(),
        st.lists(st.one_of(st.integers(0, 9), st.text("a'\\\" ,=[]{}$:#~", max_size=4)), max_size=3),
    )
)
def test_every_value_survives_the_override_grammar(value: Any) -> None:
    (line,) = as_overrides({"key": value})
    (override,) = parse([line])
    assert override.value() == value
    assert type(override.value()) is type(value)


def test_a_constraint_that_no_config_has_is_given_whole() -> None:
    mine = {"cost": {"_target_": "my.Cost", "most": 2}, "budget": 0.5, "unit": "step", "limit": 0.0}
    assert as_overrides({"constraint": {"speed": {"budget": 0.1}, "mine": mine}}) == [
        "constraint=[speed]",
        "constraint.speed.budget=0.1",
        "+constraint.mine.cost._target_=my.Cost",
        "+constraint.mine.cost.most=2",
        "+constraint.mine.budget=0.5",
        "+constraint.mine.unit=step",
        "+constraint.mine.limit=0.0",
    ]


def test_bonuses_are_chosen_and_entries_named_as_on_the_command_line() -> None:
    mine = {"_target_": "my.Bonus", "_partial_": True}
    assert as_overrides({"intrinsic": {"rnd": {"weight": 0.5}, "mine": mine}}) == [
        "intrinsic=[rnd]",
        "intrinsic.rnd.weight=0.5",
        "+intrinsic.mine._target_=my.Bonus",
        "+intrinsic.mine._partial_=true",
    ]
    size = {"policy/qpos/rootz": 0.1, "qvel/*": 2.0}
    noisy = {"wrapper": ["noise"], "wrapper.noise.deviation": {"policy/*": 0.5}}
    cfg = pgrobot.compose(intrinsic={"grid": {"size": size, "schedule": "linear"}}, **noisy)
    assert cfg.intrinsic.grid.size == size
    assert cfg.intrinsic.grid.schedule == "linear"
    assert cfg.wrapper.noise.deviation == {"policy/*": 0.5}


def test_a_value_that_no_config_holds_is_refused() -> None:
    with pytest.raises(PgrobotError, match="seed is a object, which a config cannot hold"):
        pgrobot.compose(seed=object())
    with pytest.raises(PgrobotError, match="Unknown task 'hoper'"):
        pgrobot.train(task="hoper")
    with pytest.raises(PgrobotError, match="evaluate takes no 'episode': did you mean 'episodes'"):
        pgrobot.evaluate("runs", episode=3)


def test_train_returns_what_came_out(tmp_path: Path) -> None:
    result = pgrobot.train(
        quiet=True, debug="tiny", task="hopper", total_steps=256, hydra={"run": {"dir": tmp_path / "run"}}
    )
    assert (result.path, result.status) == (tmp_path / "run", "finished")
    assert result.verdicts.keys() == {"speed", "torque", "fall"}
    assert result.metrics["cost/speed/budget"] == 0.025


def test_importing_the_package_does_not_wait_for_torch() -> None:
    program = "import sys, pgrobot, pgrobot.cli; print('torch' in sys.modules, 'mujoco' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("words", [["--help"], ["evaluate", "--help"]])
def test_a_pipe_that_nobody_reads_is_met_with_silence(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "pgrobot", *words]
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    answer = subprocess.run(
        command, env=buffered, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (answer.returncode, answer.stderr) == (1, "")


def test_the_version_names_the_commit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    told = capsys.readouterr().out.strip()
    assert re.fullmatch(r"pgrobot \d+\.\d+\.\d+( at [0-9a-f]{7}(-dirty)?)?", told)
    assert (" at " in told) == bool(source_commit())


def test_evaluate_exits_by_the_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = f"{tmp_path}/run"
    tiny = ["train", "debug=tiny", "task=hopper", "total_steps=256", f"hydra.run.dir={run}"]
    assert main([*tiny, "constraint=[speed]", "constraint.speed.budget=1000"]) == 0
    assert main(["evaluate", run, "--episodes", "4"]) == 0
    assert "satisfied" in capsys.readouterr().out
    other = f"{tmp_path}/other"
    assert (
        main([*tiny[:-1], f"hydra.run.dir={other}", "constraint=[torque]", "constraint.torque.budget=0"]) == 0
    )
    assert main(["evaluate", other]) == 1
    assert "violated" in capsys.readouterr().out


def test_help_lists_every_group_and_documented_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "pgrobot train" in capsys.readouterr().out
    assert main(["train", "--help"]) == 0
    page = capsys.readouterr().out
    for word in (
        "task",
        "hopper",
        "constraint",
        "joint_velocity",
        "multiplier",
        "pid",
        "seed=1",
        "total_steps=",
        "evaluation.episodes=",
    ):
        assert word in page
    with pytest.raises(SystemExit, match="0"):
        main(["evaluate", "--help"])
    assert "--episodes" in capsys.readouterr().out


def test_the_config_can_be_shown_instead(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "task=ant", "--cfg", "job"]) == 0
    assert "pgrobot.envs.ant.Ant" in capsys.readouterr().out
    assert main(["train", "--cfg", "job", "--package", "constraint.speed", "--resolve"]) == 0
    assert "threshold: 0.7402" in capsys.readouterr().out
    assert main(["train", "--cfg", "hydra"]) == 0
    capsys.readouterr()


def test_the_config_is_shown_where_python_reads_help_early(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Python 3.14 does when an option is declared; Hydra declares one whose help is no text."""
    add = argparse.ArgumentParser.add_argument

    def check(parser: argparse.ArgumentParser, action: argparse.Action) -> None:
        _ = action.help and "%" in action.help

    def add_and_check(parser: argparse.ArgumentParser, *names: str, **options: Any) -> argparse.Action:
        action = add(parser, *names, **options)
        if isinstance(parser, argparse.ArgumentParser):  # a group has no such check
            parser._check_help(action)
        return action

    monkeypatch.setattr(argparse.ArgumentParser, "_check_help", check, raising=False)
    monkeypatch.setattr(argparse.ArgumentParser, "add_argument", add_and_check)
    with pytest.raises(TypeError, match="LazyCompletionHelp"):
        get_args_parser()
    assert main(["train", "--cfg", "job", "seed=7"]) == 0
    assert "\nseed: 7\n" in capsys.readouterr().out
    assert argparse.ArgumentParser._check_help is check


@pytest.mark.parametrize(("script", "argument"), [("train.py", "task=hoper"), ("evaluate.py", "nowhere")])
def test_scripts_are_the_commands(
    script: str,
    argument: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = Path(__file__).parents[2] / "scripts" / script
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path), argument])
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(path), run_name="__main__")
    told = capsys.readouterr().err
    assert told.startswith("pgrobot: ")
    assert told.count("\n") == 1


def test_a_reader_that_leaves_is_no_error() -> None:
    program = f"{sys.executable} -m pgrobot train --cfg job | head -c 1; echo ${{PIPESTATUS[0]}}"
    answer = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert answer.stderr == ""
