"""Several heat-maps on one figure, side by side over the same rows or one above the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pgrobot.figures.drawing import image
from pgrobot.figures.heatmap import WIDTH, Axis
from pgrobot.figures.palette import DIVERGING, SEQUENTIAL, UNKNOWN
from pgrobot.pictures import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW_HEIGHT, MOST_HEIGHT = 0.2, 9.5  # inches
MANY, SMALL = 12, 6.5  # labels of more columns are written smaller, in points
OUTLYING = 3.0  # times the 90th percentile of sizes: what is larger has the last colour, and the bar an arrow


@dataclass(frozen=True, slots=True)
class Panel:
    """One heat-map.

    Attributes:
        values: ``[R, C]``; what is not finite is left grey.
        rows: R names, from the top.
        columns: C names, or what the columns lie along.
        scale: what the colours mean, with its unit.
        title: above it.
        signed: whether zero is the middle of the colours instead of their low end.
    """

    values: np.ndarray
    rows: Sequence[str]
    columns: Sequence[str] | Axis
    scale: str
    title: str
    signed: bool


def panels(shown: Sequence[Panel], caption: str, *, stacked: bool) -> Image:
    """Draw heat-maps, each with colours of its own.

    Args:
        shown: at least one; of those that are not stacked all have the same rows, told once.
        caption: one sentence about the figure.
        stacked: one above the other, along the same axis, instead of side by side.
    """
    heights = [max(len(panel.rows), 2) for panel in shown]
    names = [len(name) for panel in shown for name in _names(panel.columns)]
    below = 0.9 + 0.06 * max(names, default=0)
    total = sum(heights) * ROW_HEIGHT + 0.5 * (len(shown) - 1) if stacked else max(heights) * ROW_HEIGHT

    def draw(figure: Figure) -> None:
        if stacked:
            grid = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)
        else:
            grid = figure.subplots(1, len(shown), sharey=True, squeeze=False)
        for axes, panel in zip(grid.ravel(), shown, strict=True):
            height = ROW_HEIGHT * (max(len(panel.rows), 2) if stacked else max(heights))
            _draw(figure, axes, panel, (7.0 if stacked else 10.0) * height)
        if stacked:
            for axes in grid.ravel()[:-1]:
                axes.set_xlabel("")

    return image(draw, WIDTH, min(MOST_HEIGHT, below + total), caption)


def _draw(figure: Figure, axes: object, panel: Panel, slenderness: float) -> None:
    known = np.where(np.isfinite(panel.values), panel.values, np.nan).astype(float)
    if not known.size:
        known = np.full((max(len(panel.rows), 1), 1), np.nan)
    size = np.abs(known[np.isfinite(known)])
    largest = float(size.max(initial=0.0)) or 1.0
    bound = min(largest, OUTLYING * float(np.quantile(size, 0.9))) if size.size else largest
    bound = bound or largest
    rows, columns = known.shape
    along = panel.columns if isinstance(panel.columns, Axis) else Axis("", -0.5, columns - 0.5)
    axes.set_facecolor(UNKNOWN)  # type: ignore[attr-defined]
    drawn = axes.imshow(  # type: ignore[attr-defined]
        known,
        aspect="auto",
        interpolation="nearest",
        cmap=DIVERGING if panel.signed else SEQUENTIAL,
        vmin=-bound if panel.signed else 0.0,
        vmax=bound,
        extent=(along.low, along.high, rows - 0.5, -0.5),
    )
    axes.set_yticks(range(len(panel.rows)), list(panel.rows))  # type: ignore[attr-defined]
    axes.tick_params(axis="both", length=0)  # type: ignore[attr-defined]
    if isinstance(panel.columns, Axis):
        axes.set_xlabel(along.label)  # type: ignore[attr-defined]
    else:
        names = list(panel.columns)
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=SMALL if columns > MANY else None)  # type: ignore[attr-defined]
    axes.set_title(f"{panel.title} ({panel.scale})")  # type: ignore[attr-defined]
    beyond = ("both" if panel.signed else "max") if bound < largest else "neither"
    bar = figure.colorbar(drawn, ax=axes, pad=0.02, fraction=0.06, aspect=slenderness, extend=beyond)  # type: ignore[arg-type]
    bar.outline.set_linewidth(0.6)


def _names(columns: Sequence[str] | Axis) -> Sequence[str]:
    return () if isinstance(columns, Axis) else columns
