"""Intervals on one axis, a row for each, against a line that they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pgrobot.figures.drawing import image
from pgrobot.figures.palette import BREACH, INK, LINES
from pgrobot.pictures import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, LEAST_HEIGHT, MOST_HEIGHT, ROW_HEIGHT = 5.6, 1.5, 9.0, 0.34  # inches
BEYOND = 1.15  # how far the axis goes past what it has to show


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its bounds; what has none reaches to the end of the axis."""

    label: str
    low: float
    mean: float
    high: float


def intervals(rows: Sequence[Interval], line: float, axis: str, title: str) -> Image:
    """Draw one; what lies right of ``line`` is shaded.

    Args:
        rows: drawn from the top.
        line: what they are compared with.
        axis: what the axis says, with its unit.
        title: the image's title and caption.
    """
    ends = [value for row in rows for value in (row.low, row.mean, row.high) if np.isfinite(value)]
    low, high = min([0.0, *ends]), max([line, *ends]) * BEYOND or 1.0
    height = min(MOST_HEIGHT, max(LEAST_HEIGHT, 0.8 + ROW_HEIGHT * len(rows)))

    def draw(figure: Figure) -> None:
        plot = figure.add_subplot()
        plot.axvspan(line, high, color=BREACH, alpha=0.09, linewidth=0)
        plot.axvline(line, color=INK, linestyle=(0, (4, 2)), linewidth=1.1)
        for index, row in enumerate(rows):
            ends = np.nan_to_num([row.low, row.high], nan=row.mean, posinf=high, neginf=low)
            plot.plot(ends, [index, index], color=LINES[0][0], linewidth=2.2, solid_capstyle="butt")
            plot.plot(ends, [index, index], color=LINES[0][0], marker="|", markersize=8, linestyle="")
            plot.plot([row.mean], [index], color=INK, marker="o", markersize=5)
        plot.set_ylim(len(rows) - 0.5, -0.5)
        plot.set_yticks(range(len(rows)), [row.label for row in rows])
        plot.tick_params(axis="y", length=0)
        plot.set_xlim(low - 0.015 * (high - low), high)
        plot.spines[["top", "right", "left"]].set_visible(False)
        plot.set_xlabel(axis)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)

    return image(draw, WIDTH, height, title)
