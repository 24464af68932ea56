"""A callback is told every iteration, changes nothing, may ask to stop, and what it raises costs nothing."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pgrobot
from pgrobot.errors import FailureError, PgrobotError
from pgrobot.run import Interrupted, Result, execution
from pgrobot.run.callback import Told
from pgrobot.run.stop import StopRequest
from pgrobot.tracking import RunInfo

from .conftest import Finished, assert_equal, metrics, state
from .test_stop import settings


def train(directory: Path, **more: Any) -> Result:
    return pgrobot.train(quiet=True, **settings(directory), **more)


def test_it_is_told_every_iteration_and_changes_nothing(tmp_path: Path, finished: Finished) -> None:
    told: list[pgrobot.Iteration] = []
    run = train(tmp_path / "run", callback=told.append)
    assert [(each.step, each.total_steps, each.path) for each in told] == [
        (step, 256, run.path) for step in (64, 128, 192, 256)
    ]
    written = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    for each, row in zip(told, written, strict=True):
        assert {"global_step": each.step, **each.metrics} == pytest.approx(row, nan_ok=True)
        with pytest.raises(TypeError):
            each.metrics["return/mean"] = 0.0  # type: ignore[index]
    whole = finished()
    assert_equal(metrics(run.path), metrics(whole))
    for name in ("last", "best"):
        assert_equal(state(run.path, name), state(whole, name))
    assert (run.status, run.stopped_by, run.exit_code) == ("finished", "", 0)


def test_what_it_is_told_is_in_the_file_already_and_stays(tmp_path: Path) -> None:
    last: list[dict[str, float]] = []

    def look(at: pgrobot.Iteration) -> None:
        last.append(json.loads((at.path / "metrics.jsonl").read_text().splitlines()[-1]))
        assert {"global_step": at.step, **at.metrics} == pytest.approx(last[-1], nan_ok=True)

    train(tmp_path / "run", callback=look)
    assert [row["global_step"] for row in last] == [64, 128, 192, 256]

    told: list[pgrobot.Iteration] = []
    tracker = Told(told.append, 1, tmp_path, StopRequest())
    metrics = {"return/mean": 1.0}
    tracker.write(1, metrics)
    metrics["return/mean"] = 2.0
    assert told[0].metrics["return/mean"] == 1.0


def test_mirrors_are_told_that_a_run_failed_whose_callback_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrored: list[RunInfo] = []
    monkeypatch.setattr(execution, "open_mirrors", lambda _, run: mirrored.append(run) or ())
    with pytest.raises(Pruned):
        train(tmp_path / "run", callback=fail)
    assert mirrored[0].ending() == "failed"


def test_no_callback_is_none_and_the_result_stays_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[pgrobot.Iteration] = []

    def stop(iteration: pgrobot.Iteration) -> bool:
        told.append(iteration)
        return True

    run = train(Path("run"), callback=stop)
    assert run.path == told[0].path == tmp_path / "run"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert pgrobot.load(run, "last").step == 64
    assert repr(run) == f"<Result stopped: {tmp_path / 'run'}>"
    run = pgrobot.train(resume=run, callback=None, quiet=True)
    assert re.fullmatch(rf"<Result finished: {tmp_path / 'run'}, return \S+.*>", repr(run))


def test_it_stops_a_run_that_can_go_on(tmp_path: Path, finished: Finished) -> None:
    step = 256  # the last one, after which nothing is judged; one on the way is stopped below
    run = train(tmp_path / "run", callback=lambda at: np.bool_(at.step == step))
    assert (run.status, run.stopped_by, run.exit_code, run.evaluation) == ("stopped", "callback", 0, {})
    assert metrics(run.path)[-1]["global_step"] == state(run.path)["global_step"] == step
    assert f"callback= asked to stop at step {step}." in (run.path / "run.log").read_text()
    assert not (run.path / "result.json").exists()
    assert pgrobot.train(resume=run.path, quiet=True).status == "finished"
    assert_equal(metrics(run.path), metrics(finished()))
    assert_equal(state(run.path), state(finished()))


class Pruned(Exception):  # noqa: N818
    """As a library for tuning raises to end a trial."""


def fail(at: pgrobot.Iteration) -> None:
    if at.step == 128:
        raise Pruned("a bad one")


def test_what_it_raises_is_raised_once_all_is_saved(tmp_path: Path, finished: Finished) -> None:
    with pytest.raises(Pruned) as caught:
        train(tmp_path / "run", callback=fail, modules=[__name__])
    assert str(caught.value) == "a bad one"
    (note,) = caught.value.__notes__
    assert note == f"the run ended at step 128, saved: resume={tmp_path / 'run'} goes on from there"
    assert caught.traceback[-1].name == "fail"
    assert state(tmp_path / "run")["global_step"] == 128
    assert "callback= raised Pruned: a bad one at step 128" in (tmp_path / "run" / "run.log").read_text()
    pgrobot.train(resume=tmp_path / "run", quiet=True)
    assert_equal(metrics(tmp_path / "run"), metrics(finished()))


def test_leaving_the_program_from_it_saves_too(tmp_path: Path) -> None:
    for name, error in (("exit", SystemExit(3)), ("interrupt", KeyboardInterrupt())):

        def leave(at: pgrobot.Iteration, error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)) as raised:
            train(tmp_path / name, callback=leave)
        assert raised.value is error
        assert state(tmp_path / name)["global_step"] == 64


@pytest.mark.parametrize("answer", ["yes", 1])
def test_it_answers_with_a_truth_value(answer: Any, tmp_path: Path) -> None:
    with pytest.raises(FailureError, match=r"callback= returned .* at step 64: it returns True to stop"):
        train(tmp_path / "run", callback=lambda _: answer)
    assert state(tmp_path / "run")["global_step"] == 64


@pytest.mark.parametrize(
    ("callback", "words"),
    [
        (3, "not 3$"),
        (lambda: None, "is called otherwise: too many"),
        (lambda a, b: None, "missing a required .* 'b'"),
    ],
)
def test_it_has_to_be_a_function_of_one_argument(callback: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(
        PgrobotError, match=f"callback= takes a function of one argument, an Iteration, .*{words}"
    ):
        train(tmp_path / "run", callback=callback)
    assert not (tmp_path / "run").exists()


def test_ctrl_c_in_it_is_ctrl_c(tmp_path: Path) -> None:
    after = []

    def interrupted(at: pgrobot.Iteration) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        after.append(at.step)

    with pytest.raises(Interrupted) as caught:
        train(tmp_path / "run", callback=interrupted)
    assert after == [64], "it is not torn up"
    assert (caught.value.result.status, caught.value.result.stopped_by) == ("stopped", "SIGINT")
    assert state(tmp_path / "run")["global_step"] == 64


def test_a_request_says_who_made_it() -> None:
    stop = StopRequest()
    assert (stop.asked, stop.by, stop.exit_code) == (False, "", 0)
    stop.ask()
    assert (stop.asked, stop.by, stop.exit_code) == (True, "callback", 0)
