"""What a run hands on: its findings as they stand, its films before its report, and what trackers say of them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wandb
from omegaconf import OmegaConf
from PIL import Image as Pixels
from rich.console import Console

import pgrobot.report
from pgrobot.health import Finding, Health
from pgrobot.pictures import Image, Picture, Video
from pgrobot.run import execution, filming
from pgrobot.run.afterwards import look_back
from pgrobot.tracking import Progress, RunInfo, Wandb
from pgrobot.tracking.weights_and_biases import _media

from .conftest import Train
from .test_pictures import Shown

FOUND = (Finding("kl_runaway", "error", "", "", "An update is large.", {}, "Lower the rate.", 64),)


class Sick(Health):
    """Has the same finding all along."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        return FOUND


def test_trackers_and_the_console_ask_the_runs_own_health(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    class Noted(Progress):
        def __init__(self, *words: Any, **named: Any) -> None:
            asked["console"] = named["findings"]
            super().__init__(*words, **named)

    def opened(self: Wandb, run: RunInfo) -> Shown:
        asked["tracker"] = run.findings
        return Shown()

    monkeypatch.setattr(execution, "Health", Sick)
    monkeypatch.setattr(execution, "Progress", Noted)
    monkeypatch.setattr(Wandb, "open", opened)
    train("run", "tracker=wandb", "total_steps=64", "report=false")
    assert {name: findings() for name, findings in asked.items()} == {"console": FOUND, "tracker": FOUND}


class Asked:
    """A request to stop that nobody makes."""

    @contextmanager
    def at_once(self) -> Iterator[None]:
        yield

    def check(self) -> None: ...


def test_films_are_made_before_the_report_that_holds_them_and_trackers_are_sent_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[Any] = []
    films = {"play/best": Video(tmp_path / "play.mp4", "the policy of step 64")}
    figures = {"report/return": Image(b"png", b"svg", "Return")}

    def film_story(*_: Any, **__: Any) -> dict[str, Video]:
        happened.append("films")
        return films

    def write_report(run: Path, page: Path, *, videos: bool) -> SimpleNamespace:
        happened.append((run, page.name, videos))
        return SimpleNamespace(figures=figures, not_kept="")

    class Trackers:
        def mirror(self, pictures: dict[str, Picture]) -> None:
            happened.append(pictures)

    monkeypatch.setattr(filming, "film_story", film_story)
    monkeypatch.setattr(pgrobot.report, "write_report", write_report)
    cfg = OmegaConf.create({"film": 1.0, "report": True, "threads": 1})
    console, task, stop, trackers = Console(file=io.StringIO()), object(), Asked(), Trackers()
    assert look_back(cfg, tmp_path, task, trackers, stop, console)  # type: ignore[arg-type]
    assert happened == ["films", films, (tmp_path, "report.html", True), figures]


def test_weights_and_biases_is_told_the_captions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(wandb, "Video", lambda path, **how: told.append((path, how)))
    monkeypatch.setattr(wandb, "Image", lambda image, **how: told.append((image.size, how)))
    _media(Video(tmp_path / "play.mp4", "the policy of step 64"))
    png = io.BytesIO()
    Pixels.new("RGB", (4, 3)).save(png, "PNG")
    _media(Image(png.getvalue(), b"<svg/>", "Return"))
    assert told == [
        (str(tmp_path / "play.mp4"), {"caption": "the policy of step 64", "format": "mp4"}),
        ((4, 3), {"caption": "Return"}),
    ]
