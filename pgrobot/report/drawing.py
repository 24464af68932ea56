"""What a section shows: a drawing, what it shows in a sentence, and what it says to whoever cannot see it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from pgrobot.figures import Axes, Axis, Curve, Limit, Points, curves, heatmap, smoothed
from pgrobot.numerals import numeral
from pgrobot.pictures import Image
from pgrobot.report.history import History
from pgrobot.report.odd import left_out, reach, unknown

STEPS = "environment steps"
MOST_COLUMNS = 120  # of a heat-map over training time
QUANTILE = 0.98  # of the magnitudes, at which the colours of a heat-map end where a few are far larger
FAR = 1.5  # times as large
NOTHING: Mapping[str, np.ndarray] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Drawing:
    """One figure of a report.

    Attributes:
        name: of its files, below ``report/``.
        image: the figure.
        note: how to read it.
        words: what it shows, in words and figures.
        wide: whether it needs the width of two.
        drawn: whether the report drew it; else the run has its files already.
    """

    name: str
    image: Image
    note: str
    words: str
    wide: bool
    drawn: bool


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said where there is nothing to draw.

    Attributes:
        text: whole sentences.
    """

    text: str


def over_time(
    history: History,
    name: str,
    metrics: Mapping[str, str],
    unit: str,
    title: str,
    note: str,
    limits: Sequence[Limit] = (),
    points: Sequence[Points] = (),
    within: tuple[float, float] = (-math.inf, math.inf),
) -> list[Drawing]:
    """Metrics over the steps of the training: nothing where neither they nor points are known.

    Args:
        history: of the run.
        name: of the drawing.
        metrics: what each is called in it, by their names.
        unit: of the values.
        title: of the drawing.
        note: how to read it.
        limits: what they are not to exceed.
        points: drawn over them.
        within: what no value can leave.
    """
    told = {metric: called for metric, called in metrics.items() if history.tells(metric)}
    if not told and not points:
        return []
    raw = [Curve(called, history.steps, history.columns[metric]) for metric, called in told.items()]
    everything: list[Curve | Points] = [*raw, *points]
    bound = reach(np.concatenate([one.y for one in everything]))
    beyond = [
        (float(x), float(y))
        for one in everything
        for x, y in zip(one.x, one.y, strict=True)
        if abs(y) > bound
    ]
    drawn = [replace(curve, y=np.where(np.abs(curve.y) > bound, math.nan, curve.y)) for curve in raw]
    shown = [cloud.up_to(bound) for cloud in points]
    note += unknown(history, metrics) + left_out(np.array([y for _, y in beyond]))
    if any(smoothed(curve.y) for curve in drawn):
        note += " Faint: each iteration; strong: the running mean."
    said: list[Curve | Points] = [*drawn, *shown]
    words = " ".join(in_words(one.label, one.x, one.y) for one in said)
    words += "".join(f" The {limit.label} is drawn in." for limit in limits)
    axes = Axes(STEPS, unit, (0.0, float(history.steps[-1])), within)
    image = curves(drawn, shown, limits, beyond, axes, title)
    return [Drawing(name, image, note, words, wide=False, drawn=True)]


def map_over_time(
    history: History,
    name: str,
    rows: Mapping[str, str],
    scale: str,
    title: str,
    note: str,
    *,
    signed: bool,
    end: float = 0.0,
    factor: float = 1.0,
    hidden: Mapping[str, np.ndarray] = NOTHING,
) -> Iterator[Drawing | Sentence]:
    """A heat-map of metrics over the steps of the training: nothing where none of them is known.

    Args:
        history: of the run.
        name: of the drawing.
        rows: what each metric is called in it, by their names.
        scale: what the colours mean, with its unit.
        title: of the drawing.
        note: how to read it.
        signed: whether zero is the middle of the colours.
        end: the magnitude at which the colours end; 0: found from the values, and told.
        factor: by which the values are multiplied.
        hidden: by metric, which iterations ``[T]`` are left grey.
    """
    unseen = np.full(len(history.steps), np.nan)
    known = np.array([history.columns.get(metric, unseen) for metric in rows]).reshape(
        len(rows), len(history.steps)
    )
    with np.errstate(over="ignore"):
        known = np.where(np.isfinite(known), known, np.nan) * factor
    if not np.isfinite(known).any():
        return
    if not known[np.isfinite(known)].any():
        yield Sentence(f"{title}: 0 throughout, of all {len(rows)} rows, so there is nothing to draw.")
        return
    for index, metric in enumerate(rows):
        known[index, hidden.get(metric, np.zeros(len(history.steps), bool))] = np.nan
    if not np.isfinite(known).any():
        yield Sentence(f"{title}: no value stands out from noise, so there is nothing to draw.")
        return
    last = float(history.steps[-1])
    values = binned(history.steps, known)
    if not end:
        end, told = _range(values[np.isfinite(values)], signed=signed)
        note += told
    note += unknown(history, rows)
    row, column = np.unravel_index(np.nanargmax(np.abs(known)), known.shape)
    words = (
        f"{title}: {len(rows)} rows over {last:,.0f} {STEPS}. The largest magnitude is {numeral(known[row, column])}, "
        f"of {list(rows.values())[row]} at step {history.steps[column]:,.0f}."
    )
    axis = Axis(STEPS, 0.0, last)
    drawn = heatmap(values, list(rows.values()), axis, scale, title, signed=signed, end=end)
    yield Drawing(name, drawn, note, words, wide=True, drawn=True)


def _range(values: np.ndarray, *, signed: bool) -> tuple[float, str]:
    """Where colours end, and a sentence about it: at the largest magnitude, unless few are far larger than the rest."""
    magnitudes = np.abs(values)
    largest = float(magnitudes.max())
    quantile = float(np.quantile(magnitudes, QUANTILE, method="lower"))
    few = largest > FAR * quantile > 0.0
    end = quantile if few else largest
    told = f" Colours: {numeral(-end) if signed else 0} to {numeral(end)}"
    return end, f"{told}; the largest magnitude is {numeral(largest)}." if few else f"{told}."


def binned(steps: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The means of ``[R, T]`` in at most 120 bins of equal width over the steps; NaN where a bin has no value."""
    told = steps[np.isfinite(values).any(axis=0)]
    apart = np.median(np.diff(told, prepend=0.0)) or 1.0
    bins = int(np.clip(np.round(steps[-1] / apart), 1, MOST_COLUMNS))
    place = np.clip(np.ceil(steps / steps[-1] * bins - 1e-6).astype(int) - 1, 0, bins - 1)
    sums, counts = np.zeros((len(values), bins)), np.zeros((len(values), bins))
    with np.errstate(over="ignore"):
        np.add.at(sums.T, place, np.nan_to_num(values).T)
    np.add.at(counts.T, place, np.isfinite(values).T)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def in_words(label: str, steps: np.ndarray, values: np.ndarray) -> str:
    """A curve in a sentence: where it begins, where it ends and between what it lies."""
    known = np.isfinite(values)
    if not known.any():
        return f"{label}: not known."
    steps, values = steps[known], values[known]
    return (
        f"{label}: {numeral(values[0])} at step {steps[0]:,.0f}, {numeral(values[-1])} at step {steps[-1]:,.0f}, "
        f"between {numeral(values.min())} and {numeral(values.max())}."
    )
