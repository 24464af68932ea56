"""Diagnostics may have pictures: the run directory keeps them, mirrors show them, and a resumed run has no others."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pgrobot.diagnostics import EpisodeStatistics
from pgrobot.pictures import Image, Picture, Table
from pgrobot.tracking import MetricsFile, Wandb, kept
from pgrobot.types import Metrics

from .conftest import Train, metrics
from .test_resume import _Killed, _write_and_die_at, interrupt_at


class Illustrating(EpisodeStatistics):
    """Draws after every second iteration."""

    def __call__(self, iteration: int, learners: Mapping[str, Any], experience: Any) -> Metrics:
        self.iteration = iteration
        return super().__call__(iteration, learners, experience)

    def pictures(self) -> Mapping[str, Picture]:
        if self.iteration % 2:
            return {}
        return {
            "own/map": Image(b"png", b"svg", ""),
            "own": Table(("x",), ((float(self.iteration),),)),
            "..": 3,
        }  # type: ignore[dict-item]


class Shown:
    def __init__(self) -> None:
        self.calls: list[tuple[int, str]] = []

    def write(self, step: int, _: Metrics) -> None:
        self.calls.append((step, "metrics"))

    def show(self, step: int, name: str, _: Picture) -> None:
        self.calls.append((step, name))

    def close(self) -> None: ...


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    shown = Shown()
    monkeypatch.setattr("pgrobot.assembly.EpisodeStatistics", Illustrating)
    monkeypatch.setattr(Wandb, "open", lambda self, run: shown)
    return shown


def steps(run: Path) -> list[int]:
    return [found.step for found in kept(run, Table) if found.name == "own"]


def test_pictures_of_a_diagnostic_go_where_the_metrics_go(
    shown: Shown, train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    run = train("run", "tracker=wandb").path
    assert [call for call in shown.calls if call[1] in ("metrics", "own", "own/map")] == [
        (64, "metrics"),
        (64, "own/map"),
        (64, "own"),
        (128, "metrics"),
        (192, "metrics"),
        (192, "own/map"),
        (192, "own"),
        (256, "metrics"),
    ]
    assert steps(run) == [64, 192]
    assert (run / "figures/own/map_64.png").read_bytes() == b"png"
    assert "The picture '..' is a int, and no Image, Table or Video. It is not shown." in caplog.text


@pytest.mark.usefixtures("shown")
def test_pictures_of_steps_that_no_checkpoint_knows_are_forgotten(
    train: Train, resume: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MetricsFile, "write", _write_and_die_at(256))
        with pytest.raises(_Killed):
            train("run", "checkpoint.every=1000")
    run = tmp_path / "run"
    assert steps(run) == [64, 192]
    with monkeypatch.context() as patch:
        interrupt_at(64, signal.SIGTERM, patch)
        resume(run)
    assert [row["global_step"] for row in metrics(run)] == [64]
    assert steps(run) == [64]
