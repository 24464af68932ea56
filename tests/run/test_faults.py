"""A reward that stops being a number: the update is skipped, the run goes on, and the states are kept."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from rich.console import Console
from toys import TargetWorld, make

from pgrobot import checkpoint
from pgrobot.errors import FailureError, PgrobotError
from pgrobot.guard import Fault, GuardedLearner
from pgrobot.run import faults, print_evaluation
from pgrobot.run.faults import FaultRecorder
from pgrobot.run_directory import RunDirectory
from pgrobot.simulation import NO_MODEL

from .conftest import Train, metrics

# A Hopper whose reward is NaN in environment 2 from one of its steps on, for a while.
ROBOT = """
from dataclasses import dataclass
import numpy as np
from pgrobot.envs.hopper import Hopper

CALLS = []

@dataclass(frozen=True, kw_only=True)
class Faulty(Hopper):
    first: int
    last: int

    def terms(self, simulation, action):
        CALLS.append(0)
        terms = super().terms(simulation, action)
        if simulation.num_envs == 4 and self.first <= len(CALLS) <= self.last:
            terms[1][2] = np.nan
        return terms
"""


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (tmp_path / "faulty_robots.py").write_text(ROBOT)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "faulty_robots", raising=False)
    return ["task._target_=faulty_robots.Faulty", "modules=[faulty_robots]", "evaluation.every=1024"]


def test_the_update_is_skipped_and_the_states_are_dumped(
    faulty: list[str], train: Train, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # One call when the environment is made, then 16 per iteration: step 5 of the second iteration.
    with caplog.at_level(logging.WARNING):
        result = train("run", *faulty, "+task.first=23", "+task.last=24")
    assert result.status == "finished"
    assert [line["guard/skipped_updates"] for line in metrics(result.path)] == [0.0, 1.0, 0.0, 0.0]
    assert (
        "The update at step 128 was skipped: column 'reward' is nan at step 5 of environment 2" in caplog.text
    )
    dump = checkpoint.load(result.path / "faults" / "step_128_robot.pt")
    assert torch.isnan(dump["rollout"]["reward"][:, :, 0]).nonzero().tolist() == [[5, 2], [6, 2]]
    assert dump["rollout"]["action"].shape == (16, 4, 3)
    assert (dump["global_step"], dump["learner"]["updates"]) == (128, 1)
    assert "faulty_robots.Faulty" in dump["config"]


def test_a_run_that_only_skips_gives_up(
    faulty: list[str], train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "MOST_IN_A_ROW", 2)
    with pytest.raises(
        PgrobotError, match=r"The last 2 updates were skipped, the last because column 'reward' is nan"
    ):
        train("run", *faulty, "+task.first=20", "+task.last=1000000")
    assert {path.name for path in (tmp_path / "run" / "faults").iterdir()} == {
        "step_128_robot.pt",
        "step_192_robot.pt",
    }
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_run_that_learnt_nothing_has_not_finished(
    faulty: list[str], train: Train, resume: Train, tmp_path: Path
) -> None:
    """Four iterations are fewer than make it give up on the way; resumed at its end it has learnt no more."""
    sentence = r"^Every update was skipped, so nothing was learnt, the last because column 'reward' is nan at .*faults"
    with pytest.raises(FailureError, match=sentence) as told:
        train("run", *faulty, "+task.first=2", "+task.last=1000000")
    assert told.value.exit_code == 1
    assert not (tmp_path / "run" / "result.json").exists()
    assert "Every update was skipped" in (tmp_path / "run" / "run.log").read_text()
    with pytest.raises(FailureError, match="Every update was skipped, so nothing was learnt; "):
        resume(tmp_path / "run", "modules=[faulty_robots]")


def test_skipped_updates_are_told_at_the_end_those_of_the_past_included(
    faulty: list[str], train: Train, resume: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    result = train("run", *faulty, "+task.first=2", "+task.last=24")
    assert result.evaluation["skipped_updates"] == 2
    again = resume(result.path, "modules=[faulty_robots]", "total_steps=320")
    assert again.evaluation["skipped_updates"] == 2
    print_evaluation(Console(width=80), again.evaluation)
    assert "2 updates were skipped, see run.log" in capsys.readouterr().out


def test_skips_with_an_update_between_them_do_not_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "MOST_IN_A_ROW", 2)
    monkeypatch.setattr(faults, "MOST_DUMPS", 0)
    collector, learner = make(TargetWorld(2, 0))
    fault = Fault("it broke", collector.collect()["robot"], learner.state_dict())
    guarded = GuardedLearner(learner)
    with RunDirectory.create(
        tmp_path / "run", "seed: 1\n", [], 1, [], NO_MODEL, TargetWorld(2, 0).spec, {}
    ) as directory:
        recorder = FaultRecorder(directory, "")
        for broken in (True, False, True, False, True):
            guarded.faults += [fault] * broken
            recorder.look(1, {"robot": guarded})
            assert guarded.faults == []
        guarded.faults.append(fault)
        with pytest.raises(PgrobotError, match="The last 2 updates were skipped, the last because it broke"):
            recorder.look(2, {"robot": guarded})


def test_dumps_are_few(faulty: list[str], train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "MOST_DUMPS", 1)
    result = train("run", *faulty, "+task.first=2", "+task.last=40")
    assert [line["guard/skipped_updates"] for line in metrics(result.path)] == [1.0, 1.0, 1.0, 0.0]
    assert [path.name for path in (result.path / "faults").iterdir()] == ["step_64_robot.pt"]
