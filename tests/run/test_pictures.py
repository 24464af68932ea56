"""Diagnostics may have pictures: the run directory keeps them, mirrors show them, and a resumed run has no others."""

from __future__ import annotations

import math
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pgrobot.diagnostics import EpisodeStatistics
from pgrobot.pictures import Image, Picture, Table
from pgrobot.tracking import MetricsFile, Wandb, kept, read_table
from pgrobot.types import Metrics

from .conftest import Train, assert_equal, metrics, state
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


TORQUE = ("constraint=[torque]", "constraint.torque.cost.fraction=0.01")  # as good as always violated


def test_the_final_evaluation_leaves_a_map_of_its_violations(train: Train) -> None:
    with_image, without = train("a", *TORQUE, "evaluation.pictures=true"), train("b", *TORQUE)
    results = [dict(result.evaluation) for result in (with_image, without)]
    for result in results:
        del result["wall_s"], result["env_steps_per_s"]
    assert results[0] == results[1]
    (found,) = kept(with_image.path, Table)
    assert (found.name, found.step) == ("violation/by_time", 256)
    table = read_table(found.path)
    joints = {row[1] for row in table.rows}
    assert len(joints) == 3
    steps = sum(float(row[5]) for row in table.rows) / len(joints)
    told = with_image.evaluation
    assert steps == pytest.approx(told["episode_length"]["mean"] * told["return"]["episodes"])
    assert all(math.isnan(float(row[4])) for row in table.rows), "a violation adds 1, which is no size"
    spent = sum(float(row[3]) * float(row[5]) for row in table.rows if float(row[5]))
    assert with_image.evaluation["costs"]["torque"]["unit"] == "step"
    assert spent / steps == pytest.approx(told["costs"]["torque"]["mean"])
    assert [image.path.name for image in kept(with_image.path, Image)] == [
        "map_256.png",
        "map_256.svg",
    ]
    assert kept(without.path, Image) == []


def test_training_is_the_same_without_looking_at_violations(train: Train) -> None:
    looked = train("a", *TORQUE).path
    blind = train("b", *TORQUE, "diagnostics.violations.every=0").path
    states = [state(run) for run in (looked, blind)]
    for one in states:
        del one["config"]
    assert_equal(*states)
    assert any("violation/torque/foot_joint/phase" in row for row in metrics(looked))
    assert [
        {key: value for key, value in row.items() if not key.startswith("violation/")}
        for row in metrics(looked)
    ] == metrics(blind)
