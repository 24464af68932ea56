"""Adapters from end to end: a run trains, evaluates and resumes like any other."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest

import pgrobot
from pgrobot.errors import FailureError, PgrobotError

TASKS = {
    "gymnasium": {"task": "gymnasium", "task.id": "Pendulum-v1"},
    "dm_control": {"task": "dm_control", "task.domain": "cartpole", "task.name": "swingup"},
}
SHORT = {
    "gymnasium": {"+task.kwargs.max_episode_steps": 100},
    "dm_control": {"task.max_episode_steps": 100},
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
        **SHORT[name],
        "debug": "tiny",
        "num_envs": 2,
        "total_steps": 640,
        "checkpoint.every": 320,
        "evaluation.every": 640,
        "evaluation.episodes": 2,
        "evaluation.final_episodes": 2,
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


def test_an_enormous_time_limit_is_refused_at_once(tmp_path: Path) -> None:
    settings = {**TASKS["gymnasium"], "debug": "tiny", "hydra.run.dir": tmp_path / "run", "quiet": True}
    with pytest.raises(PgrobotError, match=r"Pendulum-v1 has episodes of up to 1,000,000,000 steps"):
        pgrobot.train(**settings, **{"+task.kwargs.max_episode_steps": 10**9})
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


class Counted(gymnasium.Env[Any, Any]):
    """Knows how many of its kind exist, and how many there were at once; its start depends on more than its seed."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float64)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float64)
    alive: ClassVar[int] = 0
    most: ClassVar[int] = 0
    built: ClassVar[int] = 0
    chaos: ClassVar[float] = 0.0

    def __init__(self) -> None:
        Counted.built += 1
        Counted.alive += 1
        Counted.most = max(Counted.most, Counted.alive)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.place = self.np_random.standard_normal(
            1
        ) + Counted.chaos * np.random.default_rng().standard_normal(1)
        return self.place, {}

    def step(self, action: np.ndarray) -> Any:
        self.place = self.place + 0.1 * action
        return self.place, -float(abs(self.place[0])), False, False, {}

    def close(self) -> None:
        Counted.alive -= 1


@pytest.fixture
def counted() -> Iterator[dict[str, Any]]:
    Counted.alive = Counted.most = Counted.built = 0
    Counted.chaos = 0.0
    gymnasium.register("toys/Counted-v0", Counted, max_episode_steps=25)
    yield {
        "task": "gymnasium", "task.id": "toys/Counted-v0", "debug": "tiny", "num_envs": 1, "horizon": 64,
        "total_steps": 192, "evaluation.every": 64, "checkpoint.every": 64, "evaluation.episodes": 4,
        "evaluation.final_episodes": 4, "quiet": True,
    }  # fmt: skip
    del gymnasium.registry["toys/Counted-v0"]


def test_an_evaluation_runs_in_as_many_environments_as_it_is_told(
    counted: dict[str, Any], tmp_path: Path
) -> None:
    pgrobot.train(**counted, **{"hydra.run.dir": tmp_path / "many"})
    assert (Counted.most, Counted.alive) == (5, 0)
    Counted.most = 0
    result = pgrobot.train(**counted, **{"hydra.run.dir": tmp_path / "one", "evaluation.num_envs": 1})
    assert Counted.most == 2
    assert result.evaluation["return"]["episodes"] == 4
    Counted.most = 0
    pgrobot.evaluate(result.path)
    assert (Counted.most, Counted.alive) == (1, 0)


def test_what_can_exist_only_once_does_and_trains_as_it_would_beside_its_evaluations(
    counted: dict[str, Any], tmp_path: Path
) -> None:
    one = {**counted, "evaluation.num_envs": 1}
    beside = pgrobot.train(**one, **{"hydra.run.dir": tmp_path / "beside"})
    Counted.most = 0
    alone = pgrobot.train(**one, **{"hydra.run.dir": tmp_path / "alone", "evaluation.alone": True})
    assert (Counted.most, Counted.alive) == (1, 0)
    assert rows(alone.path) == rows(beside.path)
    assert alone.evaluation["return"] == beside.evaluation["return"]


def test_what_no_seed_repeats_is_resumed_with_new_episodes_on_request(
    counted: dict[str, Any], tmp_path: Path
) -> None:
    Counted.chaos = 1.0
    run = pgrobot.train(**counted, **{"hydra.run.dir": tmp_path / "run"}).path
    (run / "result.json").unlink()
    shutil.copy(run / "checkpoints" / "step_64.pt", run / "checkpoints" / "last.pt")
    with pytest.raises(FailureError) as told:
        pgrobot.train(resume=run, quiet=True)
    sentence = str(told.value)
    assert sentence.startswith(
        "toys/Counted-v0 cannot be taken up where it was: replaying the running episode of"
    )
    assert sentence.endswith("resume_fresh=true begins new episodes instead.")
    result = pgrobot.train(resume=run, resume_fresh=True, quiet=True)
    assert result.status == "finished"
    log = (run / "run.log").read_text(encoding="utf-8")
    assert "the episodes that were running at step 64 are cut, and new ones begin" in log
    assert [row["global_step"] for row in rows(run)] == [64, 128, 192]
    # 64 steps are two episodes and 14 steps of a third, which counts no more; the next two end at 25 and 50.
    lengths = [row["episode_length/mean"] for row in rows(run)[1:3]]
    assert lengths == [25.0, 25.0]
