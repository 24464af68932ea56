"""Adapters from end to end: a run trains, evaluates and resumes like any other."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

import pgrobot
from pgrobot.errors import PgrobotError

TASKS = {
    "gymnasium": {"task": "gymnasium", "task.id": "Pendulum-v1"},
    "dm_control": {"task": "dm_control", "task.domain": "cartpole", "task.name": "swingup"},
}
WITHOUT_SUITE = pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="dm_control installs on Python 3.11 and 3.12 only"
)


def rows(run: Path) -> list[dict[str, float]]:
    """The metrics of every iteration; the clock alone may differ from run to run."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{k: v for k, v in json.loads(line).items() if not k.startswith("time/")} for line in lines]


@pytest.mark.parametrize("name", ["gymnasium", pytest.param("dm_control", marks=WITHOUT_SUITE)])
def test_a_run_resumed_in_the_middle_of_its_episodes_ends_the_same(name: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        **TASKS[name],
        "debug": "tiny",
        "num_envs": 2,
        "total_steps": 640,
        "checkpoint.every": 320,
        "hydra.run.dir": tmp_path / "run",
    }
    run = pgrobot.train(**settings, quiet=True).path
    whole = rows(run)
    assert len(whole) == 10
    (run / "result.json").unlink()
    shutil.copy(run / "checkpoints" / "step_320.pt", run / "checkpoints" / "last.pt")
    pgrobot.train(resume=run, quiet=True)
    assert rows(run) == whole


def test_without_dm_control_a_sentence_says_which_python_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.version_info < (3, 13):
        monkeypatch.setitem(sys.modules, "dm_control", None)
    settings = {**TASKS["dm_control"], "debug": "tiny", "hydra.run.dir": tmp_path / "run"}
    with pytest.raises(
        PgrobotError, match=r"package dm_control, which installs on Python 3\.11 and 3\.12 only"
    ):
        pgrobot.train(**settings, quiet=True)
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_limited_is_refused_before_anything_is_created(tmp_path: Path) -> None:
    settings = {**TASKS["gymnasium"], "debug": "tiny", "hydra.run.dir": tmp_path / "run"}
    with pytest.raises(PgrobotError, match="constraint 'torque' is measured in a pgrobot robot"):
        pgrobot.train(**settings, constraint=["torque"], quiet=True)
    assert not (tmp_path / "run").exists()
    with pytest.raises(PgrobotError, match="task=gymnasium and task=dm_control"):
        pgrobot.train(task="hopper", constraint=["cost"], quiet=True, **{"hydra.run.dir": tmp_path / "run"})
    assert not (tmp_path / "run").exists()


def test_an_environment_id_imports_only_what_the_user_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run directory of somebody else's must not run code of its choice."""
    (tmp_path / "stranger.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    settings = {"task": "gymnasium", "task.id": "stranger:Thing-v0", "debug": "tiny", "quiet": True}
    with pytest.raises(PgrobotError, match=r"task.id names 'stranger', .* add modules=\[stranger\]"):
        pgrobot.train(**settings)
    with pytest.raises(SystemExit, match="imported"):
        pgrobot.train(**settings, modules=["stranger"])
