"""Heat-maps on one figure: what is outlying or unknown spoils nothing, and the same values are the same file."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image as Pixels

from pgrobot.figures import Axis, Panel, panels


def panel(values: np.ndarray, columns: Sequence[str] | Axis, *, signed: bool) -> Panel:
    rows = [f"row {index}" for index in range(len(values))]
    return Panel(values, rows, columns, "N·m", "Title", signed=signed)


def pixels(values: np.ndarray, *, signed: bool) -> np.ndarray:
    drawn = panels([panel(values, Axis("x", 0.0, 1.0), signed=signed)], "caption", stacked=True)
    return np.asarray(Pixels.open(io.BytesIO(drawn.png)).convert("RGB"))


def test_the_same_values_are_the_same_file() -> None:
    values = np.arange(12.0).reshape(4, 3) - 5.0
    two = [panel(values, ["a", "b", "c"], signed=True), panel(abs(values), ["a", "b", "c"], signed=False)]
    one, other = (panels(two, "caption", stacked=False) for _ in range(2))
    assert one == other
    assert one.caption == "caption"
    assert b"</svg>" in one.svg


def test_one_outlier_does_not_hide_the_rest() -> None:
    values = np.linspace(0.1, 1.0, 100).reshape(10, 10)
    spoiled = values.copy()
    spoiled[0, 0] = 1e6
    of = lambda x: len(np.unique(pixels(x, signed=False).reshape(-1, 3), axis=0))
    assert of(spoiled) > 0.3 * of(values)


@pytest.mark.parametrize(
    "values", [np.full((2, 3), np.nan), np.zeros((2, 3)), np.zeros((0, 3)), np.zeros((3, 0))]
)
def test_nothing_to_see_is_drawn_too(values: np.ndarray) -> None:
    assert pixels(values, signed=True).size
