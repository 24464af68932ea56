"""Several heat-maps on one figure, side by side over the same rows or one above the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pgrobot.figures.drawing import image
from pgrobot.figures.heatmap import DIVERGING, SEQUENTIAL, UNKNOWN, Axis
from pgrobot.pictures import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, ROW_HEIGHT, MOST_HEIGHT = 7.0, 0.2, 9.5  # inches


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
            _draw(figure, axes, panel)
        if stacked:
            for axes in grid.ravel()[:-1]:
                axes.set_xlabel("")

    return image(draw, WIDTH, min(MOST_HEIGHT, below + total), caption)


def _draw(figure: Figure, axes: object, panel: Panel) -> None:
    known = np.where(np.isfinite(panel.values), panel.values, np.nan).astype(float)
    largest = float(np.nanmax(np.abs(known))) if np.isfinite(known).any() else 0.0
    largest = largest or 1.0
    rows, columns = known.shape
    along = panel.columns if isinstance(panel.columns, Axis) else Axis("", -0.5, columns - 0.5)
    axes.set_facecolor(UNKNOWN)  # type: ignore[attr-defined]
    drawn = axes.imshow(  # type: ignore[attr-defined]
        known,
        aspect="auto",
        interpolation="nearest",
        cmap=DIVERGING if panel.signed else SEQUENTIAL,
        vmin=-largest if panel.signed else 0.0,
        vmax=largest,
        extent=(along.low, along.high, rows - 0.5, -0.5),
    )
    axes.set_yticks(range(rows), list(panel.rows))  # type: ignore[attr-defined]
    axes.tick_params(axis="both", length=0)  # type: ignore[attr-defined]
    if isinstance(panel.columns, Axis):
        axes.set_xlabel(along.label)  # type: ignore[attr-defined]
    else:
        axes.set_xticks(range(columns), list(panel.columns), rotation=90)  # type: ignore[attr-defined]
    axes.set_title(panel.title)  # type: ignore[attr-defined]
    bar = figure.colorbar(drawn, ax=axes, pad=0.02, fraction=0.06)  # type: ignore[arg-type]
    bar.set_label(panel.scale)
    bar.outline.set_linewidth(0.6)


def _names(columns: Sequence[str] | Axis) -> Sequence[str]:
    return () if isinstance(columns, Axis) else columns
