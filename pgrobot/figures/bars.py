"""Bars side by side, a group for each row, as a comparison of before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pgrobot.figures.drawing import image
from pgrobot.figures.palette import INK, LINES
from pgrobot.pictures import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, LEAST_HEIGHT, MOST_HEIGHT, BAR_HEIGHT = 4.6, 2.0, 9.0, 0.2  # inches
HATCHES = ("", "////", "....")


def bars(rows: Sequence[str], groups: Mapping[str, Sequence[float]], axis: str, title: str) -> Image:
    """Draw one.

    Args:
        rows: their names, drawn from the top.
        groups: a value for every row, by what they are of: at most three, which differ in hatching too.
        axis: what the bars say, with its unit.
        title: the image's title and caption.
    """
    each = 0.8 / len(groups)
    height = min(MOST_HEIGHT, max(LEAST_HEIGHT, 1.0 + BAR_HEIGHT * (len(groups) + 1) * len(rows)))

    def draw(figure: Figure) -> None:
        plot = figure.add_subplot()
        plot.grid(visible=True, axis="x")
        plot.set_axisbelow(True)
        places = np.arange(len(rows), dtype=float)
        for index, (name, values) in enumerate(groups.items()):
            offset = (index - (len(groups) - 1) / 2) * each
            plot.barh(
                places + offset,
                np.nan_to_num(np.asarray(values, dtype=float)),
                each,
                color=LINES[index][0],
                hatch=HATCHES[index],
                edgecolor=INK,
                linewidth=0.5,
                label=name,
            )
        plot.axvline(0.0, color=INK, linewidth=0.8)
        plot.set_yticks(places, rows)
        plot.invert_yaxis()
        plot.tick_params(axis="y", length=0)
        plot.spines[["top", "right", "left"]].set_visible(False)
        plot.set_xlabel(axis)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        figure.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=8)

    return image(draw, WIDTH, height, title)
