"""Curves over one axis, with a limit drawn in where there is one: a small drawing, of which a page shows many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pgrobot.figures.drawing import image, wrapped
from pgrobot.figures.palette import BREACH, INK, PAPER, line_style
from pgrobot.pictures import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes2D
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 4.6, 2.9  # inches: readable on a phone, three side by side on a laptop
LEGEND_ROW = 0.22  # inches
SMOOTHED_OVER = 25  # that part of a curve is what its smoothed line is a mean of
MOST_POINTS = 600  # of a curve; more are averaged
MOST_LINES = 12
THOUSANDS = 1_000.0  # from where on an axis is counted in them


@dataclass(frozen=True, slots=True)
class Curve:
    """Points in the order of ``x``; one whose ``y`` is not finite is a gap."""

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

    def up_to(self, bound: float) -> Points:
        """Those of at most this magnitude; a bar that leads beyond is left out."""
        kept = np.abs(self.y) <= bound
        above = np.where(np.abs(self.y + self.above) <= bound, self.above, 0.0)
        return Points(self.label, self.x[kept], self.y[kept], above[kept])


@dataclass(frozen=True, slots=True)
class Limit:
    """What the curves are not to exceed."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Axes:
    """What both axes say, and how far they go.

    Attributes:
        x, y: labels, with their units.
        span: of the horizontal axis; one for all drawings of a page.
        within: what no value can leave, so that the vertical axis does not either; infinite where there is no end.
    """

    x: str
    y: str
    span: tuple[float, float]
    within: tuple[float, float]


def curves(
    drawn: Sequence[Curve],
    points: Sequence[Points],
    limits: Sequence[Limit],
    beyond: Sequence[tuple[float, float]],
    axes: Axes,
    title: str,
) -> Image:
    """Draw one.

    A curve has a gap where nothing is known, and a dot where a value stands alone. One that is `smoothed` is drawn
    faintly as it is, and strongly as a running mean. Of more than twelve, the first are drawn.

    Args:
        drawn: the curves; with several, or with points, they are named below the axes.
        points: drawn over them.
        limits: dashed; what lies above the lowest one is shaded.
        beyond: values that are left out, ``(x, y)``: a triangle at the edge points to each.
        axes: what they say.
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
            if smoothed(curve.y):
                _line(plot, curve.x, curve.y, color=colour, linewidth=0.7, alpha=0.35, markersize=1.5)
            plain = running_mean(curve.y)
            plot.plot([], [], color=colour, linestyle=dashes, linewidth=1.7, label=curve.label)
            _line(plot, curve.x, plain, color=colour, linestyle=dashes, linewidth=1.7, markersize=3.0)
        for cloud in points:
            error = np.stack([np.zeros_like(cloud.above), cloud.above])
            plot.errorbar(
                cloud.x, cloud.y, error, fmt="D", markersize=3.2, color=INK, linewidth=1.0, label=cloud.label
            )
        _limits(plot, limits)
        _keep_within(plot, axes.within)
        for x, y in beyond:
            edge, mark = (1.0, "^") if y > 0.0 else (0.0, "v")
            plot.plot(
                [x], [edge], marker=mark, color=INK, transform=plot.get_xaxis_transform(), clip_on=False
            )
        plot.spines[["top", "right"]].set_visible(False)
        if axes.span[1] >= THOUSANDS:
            plot.xaxis.set_major_formatter(EngFormatter(sep=""))
        margin = 0.01 * (axes.span[1] - axes.span[0] or 1.0)
        plot.set_xlim(axes.span[0] - margin, axes.span[1] + margin)
        plot.set_xlabel(axes.x)
        plot.set_ylabel(wrapped(axes.y, HEIGHT - 0.9))
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        if named:
            figure.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=8, handlelength=2.6)

    return image(draw, WIDTH, HEIGHT + rows * LEGEND_ROW, title)


def thinned(curve: Curve) -> Curve:
    """A curve, or where it has too many points the means of what neighbours know."""
    known = np.isfinite(curve.x)
    x, y = curve.x[known], np.where(np.isfinite(curve.y), curve.y, np.nan)[known]
    if len(x) <= MOST_POINTS:
        return Curve(curve.label, x, y)
    parts = np.array_split(np.arange(len(x)), MOST_POINTS)
    mean = lambda values: values.mean() if len(values) else np.nan
    finite = lambda values: values[np.isfinite(values)]
    return Curve(
        curve.label,
        np.array([x[part].mean() for part in parts]),
        np.array([mean(finite(y[part])) for part in parts]),
    )


def smoothed(values: np.ndarray) -> bool:
    """Whether a curve has points enough for a running mean that says something else."""
    return min(int(np.isfinite(values).sum()), MOST_POINTS) >= 2 * SMOOTHED_OVER


def running_mean(values: np.ndarray) -> np.ndarray:
    """Means of what is known in a window around each point, which is cut at both ends; NaN where it is not known."""
    reach = len(values) // (2 * SMOOTHED_OVER) if smoothed(values) else 0
    if reach == 0:
        return values
    known = np.isfinite(values)
    total = lambda x: np.concatenate([[0.0], np.cumsum(x)])
    sums, counts = total(np.where(known, values, 0.0)), total(known)
    index = np.arange(len(values))
    low, high = np.maximum(index - reach, 0), np.minimum(index + reach + 1, len(values))
    return np.where(known, (sums[high] - sums[low]) / np.maximum(counts[high] - counts[low], 1.0), np.nan)


def alone(values: np.ndarray) -> np.ndarray:
    """Which values are known while neither neighbour is: no line goes through them."""
    known = np.pad(np.isfinite(values), 1)
    return known[1:-1] & ~known[:-2] & ~known[2:]


def _line(plot: Axes2D, x: np.ndarray, y: np.ndarray, markersize: float, **style: Any) -> None:
    plot.plot(x, y, **style, clip_on=False)
    dots = alone(y)
    if dots.any():
        style = {**style, "linestyle": "", "marker": "o", "markersize": markersize}
        plot.plot(x[dots], y[dots], **style, clip_on=False)


def _keep_within(plot: Axes2D, within: tuple[float, float]) -> None:
    """End the vertical axis where values end."""
    low, high = plot.get_ylim()
    plot.set_ylim(max(low, within[0]), min(high, within[1]) if within[1] > max(low, within[0]) else high)


def _limits(plot: Axes2D, limits: Sequence[Limit]) -> None:
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
