"""A request to stop is heard wherever a run is, and by every job of a sweep; and what Python is told of it."""

from __future__ import annotations

import json
import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import pgrobot
from pgrobot.configure import compose
from pgrobot.run import execution, nobody, silent_console
from pgrobot.run.stop import SIGNALS, SharedStop, StopRequest
from pgrobot.run.training import Training
from pgrobot.tracking import MetricsFile, RunInfo

from .conftest import TINY, Finished, Train, assert_equal, metrics, state


@pytest.mark.parametrize("place", [".", "no such directory"])
def test_the_next_job_knows_what_the_last_one_heard_until_it_is_forgotten(tmp_path: Path, place: str) -> None:
    file = tmp_path / place / ".stop"
    with SharedStop(file, SIGNALS) as stop:
        assert stop.signal == 0
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.signal == signal.SIGTERM
    following = SharedStop(file, SIGNALS)
    assert (following.signal, following.exit_code) == (signal.SIGTERM, 143)
    assert SharedStop(tmp_path / "other", SIGNALS).signal == 0
    following.forget()
    assert SharedStop(file, SIGNALS).signal == 0


def test_nohup_keeps_a_closing_terminal_from_mattering() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def when_written(step: int, action: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
    write = MetricsFile.write

    def write_and_act(self: MetricsFile, at: int, row: dict[str, float]) -> None:
        write(self, at, row)
        if at == step:
            action()

    patch.setattr(MetricsFile, "write", write_and_act)


@pytest.fixture
def not_under_nohup() -> Iterator[None]:
    """As in a terminal, whatever the tests were started by."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("not_under_nohup")
def test_a_closing_terminal_saves(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    when_written(64, lambda: os.kill(os.getpid(), signal.SIGHUP), monkeypatch)
    told: list[RunInfo] = []
    monkeypatch.setattr(execution, "open_mirrors", lambda _, run: told.append(run) or ())
    result = train("run")
    assert told[0].ending() == "stopped", "to its mirrors"
    assert (result.status, result.exit_code) == ("stopped", 129)
    assert state(result.path)["global_step"] == 64


def test_the_last_evaluation_stops_at_once_and_is_done_when_resumed(
    train: Train, finished: Finished, resume: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = finished()
    judge, steps = Training.judge, 0

    def interrupted(self: Training, stop: StopRequest) -> Any:
        policy = self._assembly.policy

        def count(*_: Any) -> None:
            nonlocal steps
            steps += 1
            if steps == 3:
                os.kill(os.getpid(), signal.SIGINT)

        handle = policy.register_forward_pre_hook(count)
        try:
            return judge(self, stop)
        finally:
            handle.remove()

    with monkeypatch.context() as patch:
        patch.setattr(Training, "judge", interrupted)
        result = train("run")
    assert (result.status, result.exit_code) == ("stopped", 130)
    assert steps == 3
    assert not (result.path / "result.json").exists()
    assert resume(result.path).status == "finished"
    assert_equal(metrics(result.path), metrics(whole))
    found, wanted = (json.loads((run / "result.json").read_text()) for run in (result.path, whole))
    assert (found["return"], found["costs"]) == (wanted["return"], wanted["costs"])


@pytest.mark.parametrize(
    ("task", "tag"),
    [
        (["task=hopper"], "hopper"),
        (["task=gymnasium", "task.id=Pendulum-v1"], "Pendulum-v1"),
        (["task=dm_control", "task.domain=cheetah", "task.name=run"], "cheetah-run"),
    ],
)
def test_trackers_are_told_which_task_and_which_job_it_is(task: list[str], tag: str, tmp_path: Path) -> None:
    cfg = compose([*task, "constraint=[]"])
    directory: Any = SimpleNamespace(path=tmp_path / "long", id="a")
    names = []
    for name in ("", "seed=1"):
        around = execution.Surroundings((), "sweep", name, 1, silent_console(), nobody)
        told = execution._info(
            cfg, directory, around, execution._Ending("failed"), SimpleNamespace(findings=())
        )
        names.append(told.name)
    assert (told.tags, told.group) == ((tag, "ppo"), "sweep")
    assert names == ["long", "seed=1"]


def settings(directory: Path) -> dict[str, Any]:
    tiny = {key: yaml.safe_load(value) for key, _, value in (line.partition("=") for line in TINY)}
    return tiny | {"hydra.run.dir": directory}


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_loop_over_seeds_in_python_ends_too(
    number: signal.Signals, error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    when_written(64, lambda: os.kill(os.getpid(), number), monkeypatch)
    begun = []

    def loop() -> None:
        for seed in range(3):
            begun.append(seed)
            pgrobot.train(quiet=True, seed=seed, **settings(tmp_path / f"{seed}"))

    with pytest.raises(error) as caught:
        loop()
    assert begun == [0]
    assert state(tmp_path / "0")["global_step"] == 64
    if isinstance(caught.value, SystemExit):
        assert caught.value.code == 143
    else:
        assert caught.value.result.path == tmp_path / "0"
        assert f"pgrobot.train(resume={str(tmp_path / '0')!r})" in str(caught.value)


def test_quiet_is_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def complain() -> None:
        logging.getLogger("pgrobot.learner").warning("look here")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("and here", stacklevel=1)

    handler = logging.StreamHandler()
    logging.getLogger().addHandler(handler)
    when_written(64, complain, monkeypatch)
    try:
        pgrobot.train(quiet=True, **settings(tmp_path))
    finally:
        logging.getLogger().removeHandler(handler)
    told = capfd.readouterr()
    assert (told.out, told.err) == ("", "")
    log = (tmp_path / "run.log").read_text()
    assert "look here" in log
    assert "and here" in log
    assert logging.getLogger("pgrobot").propagate
