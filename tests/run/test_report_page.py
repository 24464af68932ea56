"""A run ends with its report, whose failure costs the report alone."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

import pgrobot.report
from pgrobot.pictures import Image
from pgrobot.report import PAGE, writing
from pgrobot.report.sections import SECTIONS
from pgrobot.run import Interrupted, Surroundings, filming, nobody, print_next, run
from pgrobot.tracking import Wandb, kept

from .conftest import Train, tiny_request
from .test_pictures import Shown


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all sections the verdicts and the command, which is quickly drawn."""
    monkeypatch.setattr(writing, "SECTIONS", (SECTIONS[0], SECTIONS[-1]))


def test_a_run_ends_with_its_report_and_trackers_show_it(
    train: Train,
    resume: Train,
    few: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = Shown()
    monkeypatch.setattr(Wandb, "open", lambda self, run: shown)
    train("run", "report=true", "tracker=wandb")
    run = tmp_path / "run"
    assert "Verdicts" in (run / PAGE).read_text(encoding="utf-8")
    assert shown.calls[-1] == (256, "report/budgets_spent")
    assert [file.name for file in kept(run, Image)] == ["report/budgets_spent"] * 2
    print_next(Console(), run, [], [], 1)
    assert f"report     {run / PAGE}" in capsys.readouterr().out
    resume(run, "total_steps=320", "report=false")
    assert not (run / PAGE).exists()
    assert kept(run, Image) != []  # of a step that was
    print_next(Console(), run, [], [], 1)
    assert f"report     pgrobot report {run}" in capsys.readouterr().out


def test_a_report_that_fails_costs_nothing_else(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("what nobody foresaw")

    monkeypatch.setattr(pgrobot.report, "write_report", broken)
    assert train("run", "report=true").status == "finished"
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "finished"
    (sentence,) = [message for message in caplog.messages if "report" in message]
    assert sentence.startswith("The run has no report: KeyError: 'what nobody foresaw'")
    assert "what nobody foresaw" in (tmp_path / "run" / "run.log").read_text()
    assert not (tmp_path / "run" / PAGE).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("what", ["film", "report"])
def test_who_asks_to_stop_waits_for_neither_film_nor_report(
    number: signal.Signals,
    what: str,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun: list[str] = []

    def endless(name: str) -> Callable[..., dict[str, Image]]:
        def make(*_: object, **__: object) -> dict[str, Image]:
            begun.append(name)
            if name == what:
                os.kill(os.getpid(), number)
                time.sleep(20.0)
            return {}

        return make

    monkeypatch.setattr(filming, "film_story", endless("film"))
    monkeypatch.setattr(
        pgrobot.report,
        "write_report",
        lambda *_, **__: SimpleNamespace(figures=endless("report")(), not_kept=""),
    )
    before = time.monotonic()
    result = train("run", "report=true", "film=1")
    assert time.monotonic() - before < 20.0
    assert begun == {"film": ["film"], "report": ["film", "report"]}[what]
    assert (result.status, result.exit_code, result.stopped_by) == ("finished", 128 + number, number.name)
    assert result.evaluation["status"] == "finished"
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "finished"
    (sentence,) = [message for message in caplog.messages if "nterrupted" in message]
    assert sentence.startswith(
        f"Interrupted before the {what} was whole; the run and its result are complete"
    )
    assert "finished; only films or report of it are missing" in str(Interrupted(result))


def test_a_log_says_what_takes_long(tmp_path: Path, few: None) -> None:
    file = io.StringIO()
    request = tiny_request(tmp_path / "run", "report=true")
    run(request, Surroundings(("pytest",), "", "", 0, Console(file=file), nobody))
    assert file.getvalue().splitlines()[-2:] == ["Evaluating the best policy ...", "Writing the report ..."]
