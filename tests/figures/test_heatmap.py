"""Heat-maps come out of whatever they are given, the same file for the same values, and leave matplotlib alone."""

from __future__ import annotations

import io
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image as Pixels

from pgrobot.figures import Axis, heatmap
from pgrobot.pictures import Image

TIME = Axis("time (s)", 0.0, 10.0)


def drawn(values: np.ndarray, *, signed: bool = False) -> Image:
    return heatmap(values, [f"joint {i}" for i in range(len(values))], TIME, "share", "title", signed=signed)


def colours(image: Image) -> set[tuple[int, ...]]:
    with Pixels.open(io.BytesIO(image.png)) as png:
        return {colour for _, colour in png.convert("RGB").getcolors(1 << 24)}  # type: ignore[union-attr,misc]


def rgb(name: str, at: float) -> tuple[int, ...]:
    return tuple(mpl.colormaps[name](at, bytes=True)[:3])


def test_colours_mean_values() -> None:
    seen = colours(drawn(np.array([[0.0, 0.5], [1.0, np.nan]])))
    assert {rgb("cividis", 0.0), rgb("cividis", 1.0), (217, 217, 217)} <= seen
    signed = colours(drawn(np.array([[-2.0, 1.0]]), signed=True))
    assert {rgb("PuOr", 0.0), rgb("PuOr", 0.75)} <= signed


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((0, 50)),
        np.zeros((2, 3)),
        np.full((2, 3), np.nan),
        np.full((1, 1), np.inf),
        np.eye(2000)[:, :50],
    ],
    ids=["none", "zero", "unknown", "infinite", "many"],
)
@pytest.mark.filterwarnings("error")
def test_whatever_it_is_given(values: np.ndarray) -> None:
    image = drawn(values)
    with Pixels.open(io.BytesIO(image.png)) as png:
        assert png.format == "PNG"
        assert png.size[1] <= 2700
    assert b"<svg" in image.svg


def test_the_same_values_are_the_same_files_whatever_the_user_set() -> None:
    first = drawn(np.eye(3))
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 20}):
        before = dict(mpl.rcParams)
        assert drawn(np.eye(3)) == first
        assert dict(mpl.rcParams) == before


def test_neither_training_nor_the_room_imports_matplotlib() -> None:
    program = "import sys, pgrobot.run, pgrobot.figures; print('matplotlib' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
