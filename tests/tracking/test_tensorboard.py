"""TensorBoard reads back what was written."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image as Pixels
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pgrobot.errors import PgrobotError
from pgrobot.figures import Axis, heatmap
from pgrobot.pictures import Table, Video
from pgrobot.tracking import RunInfo, TensorBoard


def events(directory: Path) -> EventAccumulator:
    found = EventAccumulator(str(directory / "tensorboard"))
    found.Reload()
    return found


def curve(directory: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in events(directory).Scalars(name)]


def test_a_resumed_curve_has_no_past_of_its_own(tmp_path: Path) -> None:
    run = RunInfo(tmp_path, "id", "name", "", (), {}, lambda: "finished", tuple)
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


def test_pictures_are_read_back(tmp_path: Path) -> None:
    run = RunInfo(tmp_path, "id", "name", "", (), {}, lambda: "finished", tuple)
    image = heatmap(np.eye(2), ["hip", "knee"], Axis("s", 0.0, 1.0), "share", "a map", signed=False)
    frames = np.zeros((30, 48, 640, 3), np.uint8)
    frames[:15] = 255
    iio.imwrite(tmp_path / "film.mp4", frames, fps=30)
    tracker = TensorBoard().open(run)
    tracker.write(10, {"x": 1.0})
    tracker.show(10, "map", image)
    tracker.show(10, "table", Table(("joint", "share"), (("hip", 0.25),)))
    tracker.show(10, "film", Video(tmp_path / "film.mp4", "a film"))
    tracker.close()
    found = events(tmp_path)
    (shown,) = found.Images("map")
    assert (shown.step, shown.encoded_image_string) == (10, image.png)
    (text,) = found.Tensors("table/text_summary")
    assert text.tensor_proto.string_val == [b"| joint | share |\n| --- | --- |\n| hip | 0.25 |"]
    (film,) = found.Images("film")
    with Pixels.open(io.BytesIO(film.encoded_image_string)) as gif:
        assert (gif.format, gif.size) == ("GIF", (320, 24))
        gif.seek(gif.n_frames - 1)  # type: ignore[attr-defined]
        assert (gif.n_frames, gif.info["duration"]) == (10, 100)  # type: ignore[attr-defined]


def test_a_run_that_goes_on_with_a_picture_keeps_the_metrics_of_its_step(tmp_path: Path) -> None:
    """A run that was stopped in its last evaluation has no iteration left when it is resumed."""
    run = RunInfo(tmp_path, "id", "name", "", (), {}, lambda: "finished", tuple)
    tracker = TensorBoard().open(run)
    tracker.write(10, {"x": 1.0})
    tracker.close()
    resumed = TensorBoard().open(run)
    resumed.show(10, "table", Table(("joint",), (("hip",),)))
    resumed.close()
    assert curve(tmp_path, "x") == [(10, 1.0)]
    assert len(events(tmp_path).Tensors("table/text_summary")) == 1


def test_without_a_write_nothing_is_made(tmp_path: Path) -> None:
    TensorBoard().open(RunInfo(tmp_path, "id", "name", "", (), {}, lambda: "finished", tuple)).close()
    assert not list(tmp_path.iterdir())


def test_its_absence_is_told_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgrobot.tracking.tensorboard.find_spec", lambda name: None)
    with pytest.raises(PgrobotError, match="needs the package tensorboard: pip install tensorboard"):
        TensorBoard()
    assert importlib.util.find_spec("tensorboard") is not None
