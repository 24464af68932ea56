"""TensorBoard reads back what was written."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from pgrobot.errors import PgrobotError
from pgrobot.tracking import RunInfo, TensorBoard


def curve(directory: Path, name: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(directory / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_a_resumed_curve_has_no_past_of_its_own(tmp_path: Path) -> None:
    run = RunInfo(tmp_path, "id", "name", "", (), {}, lambda: "finished")
    tracker = TensorBoard().open(run)
    for step in (10, 20, 30):
        tracker.write(step, {"return/mean": float(step), "cost/speed/mean": 0.5})
    tracker.close()
    assert curve(tmp_path, "return/mean") == [(10, 10.0), (20, 20.0), (30, 30.0)]
    resumed = TensorBoard().open(run)
    for step in (20, 30):
        resumed.write(step, {"return/mean": -float(step)})
    resumed.close()
    assert curve(tmp_path, "return/mean") == [(10, 10.0), (20, -20.0), (30, -30.0)]


def test_without_a_write_nothing_is_made(tmp_path: Path) -> None:
    TensorBoard().open(RunInfo(tmp_path, "id", "name", "", (), {}, lambda: "finished")).close()
    assert not list(tmp_path.iterdir())


def test_its_absence_is_told_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgrobot.tracking.tensorboard.find_spec", lambda name: None)
    with pytest.raises(PgrobotError, match="needs the package tensorboard: pip install tensorboard"):
        TensorBoard()
    assert importlib.util.find_spec("tensorboard") is not None
