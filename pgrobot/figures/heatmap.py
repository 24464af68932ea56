"""A heat-map: a row for each joint, actuator or body, and columns along an axis, of time for instance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pgrobot.figures.drawing import image, wrapped
from pgrobot.figures.palette import DIVERGING, SEQUENTIAL, UNKNOWN
from pgrobot.pictures import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BESIDE = 0.8  # inches of a figure's height that the axes do not have
MOST_LABELS = 40
THOUSANDS = 10_000.0  # from where on an axis is counted in them
WIDTH, LEAST_HEIGHT, MOST_HEIGHT, ROW_HEIGHT = 5.6, 1.8, 9.0, 0.22  # inches: readable on a phone


@dataclass(frozen=True, slots=True)
class Axis:
    """What the columns lie along, from the left edge of the first to the right edge of the last."""

    label: str  # with its unit
    low: float
    high: float


def heatmap(
    values: np.ndarray,
    rows: Sequence[str],
    axis: Axis,
    scale: str,
    title: str,
    *,
    signed: bool,
    end: float = 0.0,
) -> Image:
    """Draw one.

    Of more rows than a figure has room for, only some are labelled.

    Args:
        values: ``[R, B]``; what is not finite is left grey.
        rows: R names, drawn from the top.
        axis: of the B columns.
        scale: what the colours mean, with its unit.
        title: the image's title and caption.
        signed: whether zero is the middle of the colours instead of their low end.
        end: the magnitude at which the colours end; 0: the largest one.
    """
    known = np.where(np.isfinite(values), values, np.nan)
    if not known.size:
        known, rows = np.full((1, 1), np.nan), ("nothing",)
    largest = float(np.nanmax(np.abs(known))) if np.isfinite(known).any() else 1.0
    largest = end or largest or 1.0
    low = -largest if signed else min(0.0, float(np.nanmin(known, initial=0.0)))
    height = min(MOST_HEIGHT, max(LEAST_HEIGHT, 1.1 + ROW_HEIGHT * len(rows)))
    known = np.clip(known, -largest, largest)  # matplotlib loses all else beside what is far larger
    labelled = range(0, len(rows), -(-len(rows) // MOST_LABELS))

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import EngFormatter

        axes = figure.add_subplot()
        axes.set_facecolor(UNKNOWN)
        shown = axes.imshow(
            known,
            aspect="auto",
            interpolation="nearest",
            cmap=DIVERGING if signed else SEQUENTIAL,
            vmin=low,
            vmax=largest,
            extent=(axis.low, axis.high, len(rows) - 0.5, -0.5),
        )
        axes.set_yticks(labelled, [rows[index] for index in labelled])
        axes.tick_params(axis="y", length=0)
        if axis.high >= THOUSANDS:
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_xlabel(axis.label)
        axes.set_title(title)
        bar = figure.colorbar(shown, ax=axes, pad=0.02, fraction=0.05, aspect=6 * height)
        bar.set_label(wrapped(scale, height - BESIDE))
        bar.outline.set_linewidth(0.6)

    return image(draw, WIDTH, height, title)
