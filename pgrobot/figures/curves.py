"""Curves over one axis, with a limit drawn in where there is one: a small drawing, of which a page shows many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pgrobot.figures.drawing import image
from pgrobot.figures.palette import BREACH, INK, PAPER, line_style
from pgrobot.pictures import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 4.6, 2.9  # inches: readable on a phone, three side by side on a laptop
LEGEND_ROW = 0.22  # inches
SMOOTHED_OVER = 25  # that part of a curve is what its smoothed line is a mean of
MOST_POINTS = 600  # of a curve; more are averaged
MOST_LINES = 12
THOUSANDS = 1_000.0  # from where on an axis is counted in them


@dataclass(frozen=True, slots=True)
class Curve:
    """Points in the order of ``x``; one whose ``y`` is not finite is left out."""

    label: str
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, slots=True)
class Points:
    """Single measurements; ``above`` is how far a bar reaches upwards from each, 0 for none."""

    label: str
    x: np.ndarray
    y: np.ndarray
    above: np.ndarray


@dataclass(frozen=True, slots=True)
class Limit:
    """What the curves are not to exceed."""

    label: str
    value: float


def curves(
    drawn: Sequence[Curve],
    points: Sequence[Points],
    limits: Sequence[Limit],
    axes: tuple[str, str],
    title: str,
) -> Image:
    """Draw one.

    Every curve is drawn twice: faintly as it is, and as a running mean. Of more than twelve, the first are drawn.

    Args:
        drawn: the curves; with several, or with points, they are named above the axes.
        points: drawn over them.
        limits: dashed; what lies above the lowest one is shaded.
        axes: labels of both axes, with their units.
        title: the image's title and caption.
    """
    shown = [thinned(curve) for curve in drawn[:MOST_LINES]]
    named = len(shown) > 1 or bool(points)
    rows = -(-(len(shown) + len(points)) // 3) if named else 0

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import EngFormatter

        plot = figure.add_subplot()
        plot.grid(visible=True)
        plot.set_axisbelow(True)
        for index, curve in enumerate(shown):
            colour, dashes = line_style(index)
            plot.plot(curve.x, curve.y, color=colour, linewidth=0.7, alpha=0.35)
            smooth = running_mean(curve.y)
            mark = "o" if len(curve.x) == 1 else ""
            plot.plot(
                curve.x, smooth, color=colour, linestyle=dashes, linewidth=1.7, marker=mark, label=curve.label
            )
        for cloud in points:
            error = np.stack([np.zeros_like(cloud.above), cloud.above])
            plot.errorbar(
                cloud.x, cloud.y, error, fmt="D", markersize=3.2, color=INK, linewidth=1.0, label=cloud.label
            )
        _limits(plot, limits)
        plot.spines[["top", "right"]].set_visible(False)
        if any((curve.x >= THOUSANDS).any() for curve in shown):
            plot.xaxis.set_major_formatter(EngFormatter(sep=""))
        plot.margins(x=0.01)
        plot.set_xlabel(axes[0])
        plot.set_ylabel(axes[1])
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        if named:
            figure.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=8, handlelength=2.6)

    return image(draw, WIDTH, HEIGHT + rows * LEGEND_ROW, title)


def thinned(curve: Curve) -> Curve:
    """The finite points of a curve, or where there are too many the means of neighbours."""
    known = np.isfinite(curve.y) & np.isfinite(curve.x)
    x, y = curve.x[known], curve.y[known]
    if len(x) <= MOST_POINTS:
        return Curve(curve.label, x, y)
    parts = np.array_split(np.arange(len(x)), MOST_POINTS)
    mean = lambda values: np.array([values[part].mean() for part in parts])
    return Curve(curve.label, mean(x), mean(y))


def running_mean(values: np.ndarray) -> np.ndarray:
    """Means over a window around each point, which is cut at both ends."""
    reach = len(values) // (2 * SMOOTHED_OVER)
    if reach == 0:
        return values
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    low, high = np.maximum(index - reach, 0), np.minimum(index + reach + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)


def _limits(plot: Axes, limits: Sequence[Limit]) -> None:
    finite = [limit for limit in limits if np.isfinite(limit.value)]
    for limit in finite:
        plot.axhline(limit.value, color=INK, linestyle=(0, (4, 2)), linewidth=1.1)
    if not finite:
        return
    low, high = plot.get_ylim()
    lowest = min(limit.value for limit in finite)
    high = max(high, lowest + 0.25 * (max(lowest, high) - low))
    plot.set_ylim(low, high)
    plot.axhspan(lowest, high, color=BREACH, alpha=0.09, linewidth=0)
    for limit in finite:
        plot.annotate(
            limit.label,
            (1.0, limit.value),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 2),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=8,
            bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
        )
