"""Curves show what is known and nothing else: gaps are gaps, and no axis goes where no value can."""

from __future__ import annotations

import math
import re

import numpy as np

from pgrobot.figures import Axes, Curve, Points, curves, smoothed
from pgrobot.figures.curves import MOST_POINTS, SMOOTHED_OVER, alone, running_mean, thinned
from pgrobot.pictures import Image

FREE = (-math.inf, math.inf)
X = np.arange(1.0, 9.0)


def drawn(
    y: np.ndarray, within: tuple[float, float] = FREE, beyond: tuple[tuple[float, float], ...] = ()
) -> Image:
    axes = Axes("steps", "half an actuator's range, of a joint with a long name", (0.0, 16.0), within)
    return curves([Curve("c", X, y)], [], [], beyond, axes, "Title")


def texts(image: Image) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", image.svg.decode())


def lines(image: Image, colour: str = "#0072b2") -> list[str]:
    """The paths of lines in a colour."""
    return re.findall(rf'<path d="([^"]*)"[^>]*style="fill: none; stroke: {colour}', image.svg.decode())


def test_no_line_bridges_what_is_not_known_and_what_stands_alone_is_a_dot() -> None:
    gap = np.array([1.0, 2.0, np.nan, 3.0, np.nan, 4.0, 5.0, 6.0])
    assert alone(gap).tolist() == [False, False, False, True, False, False, False, False]
    assert [path.count("M") for path in lines(drawn(gap))] == [3]  # of which one leads nowhere
    assert [path.count("M") for path in lines(drawn(np.arange(8.0)))] == [1]
    assert b'" style="stroke: #0072b2"/>' in drawn(gap).svg
    assert b'" style="stroke: #0072b2"/>' not in drawn(np.arange(8.0)).svg


def test_a_running_mean_is_of_what_is_known() -> None:
    y = np.arange(4.0 * SMOOTHED_OVER)
    y[[7, 30]] = np.nan
    assert smoothed(y)
    mean = running_mean(y)
    assert np.isnan(mean).tolist() == np.isnan(y).tolist()
    assert mean[50] == np.mean(y[48:53])
    assert mean[8] == np.mean([6.0, 8.0, 9.0, 10.0])
    few = y[:SMOOTHED_OVER]
    assert not smoothed(few)
    assert running_mean(few) is few


def test_what_is_thinned_keeps_its_gaps() -> None:
    y = np.ones(4 * MOST_POINTS)
    y[:8] = np.nan
    y[9] = np.inf
    found = thinned(Curve("c", np.arange(len(y)), y))
    assert np.isnan(found.y).tolist() == [True, True, *[False] * (MOST_POINTS - 2)]
    assert set(found.y[2:]) == {1.0}
    assert found.x[0] == 1.5


def test_axes_end_where_values_do_and_are_shared() -> None:
    y = np.array([0.0, 0.5, 1.0, 0.2, 0.1, 0.3, 0.4, 1.0])
    free, kept = texts(drawn(y)), texts(drawn(y, (0.0, 1.0)))
    assert "16" in free
    assert "1.0" in kept
    image = drawn(0.0 * y, (0.0, math.inf))
    assert not [text for text in texts(image) if text.startswith("−")]
    assert [text for text in texts(drawn(0.0 * y)) if text.startswith("−")]


def test_text_is_text_in_lines_that_fit() -> None:
    found = texts(drawn(X))
    assert "Title" in found
    assert "half an actuator's range," in found


def test_what_is_left_out_is_pointed_to() -> None:
    assert drawn(X).svg.count(b"<use") < drawn(X, beyond=((3.0, 1e300), (4.0, -1e300))).svg.count(b"<use")


def test_evaluations_stand_without_a_curve() -> None:
    points = Points("evaluation", np.array([4.0, 8.0]), np.array([1.0, 1e300]), np.array([1e300, 0.0]))
    shown = points.up_to(10.0)
    assert (shown.y.tolist(), shown.above.tolist()) == ([1.0], [0.0])
    image = curves([], [shown], [], [], Axes("steps", "reward", (0.0, 8.0), FREE), "Title")
    assert "evaluation" in texts(image)
