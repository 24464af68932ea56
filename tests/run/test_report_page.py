"""A run ends with its report, whose failure costs the report alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

import pgrobot.report
from pgrobot.pictures import Image
from pgrobot.report import PAGE, writing
from pgrobot.report.sections import SECTIONS
from pgrobot.run import print_next
from pgrobot.tracking import Wandb, kept

from .conftest import Train
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
