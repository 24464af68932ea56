"""What a section shows: a drawing, what it shows in a sentence, and what it says to whoever cannot see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pgrobot.figures import Axis, Curve, Limit, Points, curves, heatmap
from pgrobot.numerals import numeral
from pgrobot.pictures import Image
from pgrobot.report.history import History

STEPS = "environment steps"
MOST_COLUMNS = 120  # of a heat-map over training time
QUANTILE = 0.98  # of the magnitudes, at which the colours of a heat-map end where a few are far larger
FAR = 1.5  # times as large


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


def over_time(
    history: History,
    name: str,
    metrics: Mapping[str, str],
    unit: str,
    title: str,
    note: str,
    limits: Sequence[Limit] = (),
    points: Sequence[Points] = (),
) -> list[Drawing]:
    """Metrics over the steps of the training: nothing where none of them is known.

    Args:
        history: of the run.
        name: of the drawing.
        metrics: what each is called in it, by their names.
        unit: of the values.
        title: of the drawing.
        note: how to read it.
        limits: what they are not to exceed.
        points: drawn over them.
    """
    told = {metric: called for metric, called in metrics.items() if history.tells(metric)}
    if not told:
        return []
    drawn = [Curve(called, history.steps, history.columns[metric]) for metric, called in told.items()]
    words = " ".join(
        in_words(curve.label, *history.known(metric)) for metric, curve in zip(told, drawn, strict=True)
    )
    words += "".join(f" The {limit.label} is drawn in." for limit in limits)
    return [
        Drawing(
            name, curves(drawn, points, limits, (STEPS, unit), title), note, words, wide=False, drawn=True
        )
    ]


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
) -> list[Drawing]:
    """A heat-map of metrics over the steps of the training: nothing where none of them is known.

    Args:
        history: of the run.
        name: of the drawing.
        rows: what each metric is called in it, by their names.
        scale: what the colours mean, with its unit.
        title: of the drawing.
        note: how to read it.
        signed: whether zero is the middle of the colours.
        end: the magnitude at which the colours end; 0: found from the values.
        factor: by which the values are multiplied.
    """
    unknown = np.full(len(history.steps), np.nan)
    known = np.array([history.columns.get(metric, unknown) for metric in rows]).reshape(
        len(rows), len(history.steps)
    )
    known = np.where(np.isfinite(known), known, np.nan) * factor
    if not np.isfinite(known).any():
        return []
    last = float(history.steps[-1])
    values = binned(history.steps, known)
    magnitudes = np.abs(values[np.isfinite(values)])
    if not end:
        quantile = float(np.quantile(magnitudes, QUANTILE))
        end = quantile if magnitudes.max() > FAR * quantile > 0.0 else 0.0
        if end:
            note += (
                f" The colours end at ±{numeral(end)}." if signed else f" The colours end at {numeral(end)}."
            )
    row, column = np.unravel_index(np.nanargmax(np.abs(known)), known.shape)
    words = (
        f"{title}: {len(rows)} rows over {last:,.0f} {STEPS}. The largest magnitude is {numeral(known[row, column])}, "
        f"of {list(rows.values())[row]} at step {history.steps[column]:,.0f}."
    )
    axis = Axis(STEPS, 0.0, last)
    drawn = heatmap(values, list(rows.values()), axis, scale, title, signed=signed, end=end)
    return [Drawing(name, drawn, note, words, wide=True, drawn=True)]


def binned(steps: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The means of ``[R, T]`` in at most 120 bins of equal width over the steps; NaN where a bin has no value."""
    told = steps[np.isfinite(values).any(axis=0)]
    apart = np.median(np.diff(told, prepend=0.0)) or 1.0
    bins = int(np.clip(np.round(steps[-1] / apart), 1, MOST_COLUMNS))
    place = np.clip(np.ceil(steps / steps[-1] * bins - 1e-6).astype(int) - 1, 0, bins - 1)
    sums, counts = np.zeros((len(values), bins)), np.zeros((len(values), bins))
    np.add.at(sums.T, place, np.nan_to_num(values).T)
    np.add.at(counts.T, place, np.isfinite(values).T)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def in_words(label: str, steps: np.ndarray, values: np.ndarray) -> str:
    """A curve in a sentence: where it begins, where it ends and between what it lies."""
    if not len(values):
        return f"{label}: not known."
    return (
        f"{label}: {numeral(values[0])} at step {steps[0]:,.0f}, {numeral(values[-1])} at step {steps[-1]:,.0f}, "
        f"between {numeral(values.min())} and {numeral(values.max())}."
    )
