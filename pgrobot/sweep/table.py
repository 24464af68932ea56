"""The results of a sweep as a table for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from pgrobot.sweep.statistics import Estimate
from pgrobot.sweep.summary import CostRow, Row, varying

STYLES = {"satisfied": "green", "violated": "red", "undecided": "yellow"}


def table(rows: Sequence[Row]) -> Table:
    """Lay out one line per setting: what was chosen, then return and costs over the seeds."""
    keys = varying(rows)
    names = list(dict.fromkeys(name for row in rows for name in row.costs))
    drawn = Table(title="interquartile mean over seeds [95 % interval]", title_justify="left")
    for key in keys:
        drawn.add_column(key)
    drawn.add_column("runs", justify="right")
    drawn.add_column("return", justify="right")
    for name in names:
        drawn.add_column(name, justify="right")
        drawn.add_column("verdict")
    for row in rows:
        cells = [escape(row.settings.get(key, "")) for key in keys]
        cells += [f"{row.finished}/{row.runs}", escape(interval(row.episode_return))]
        for name in names:
            cells += _cost_cells(row.costs[name]) if name in row.costs else ["", ""]
        drawn.add_row(*cells)
    return drawn


def interval(estimate: Estimate) -> str:
    """Write an estimate as ``mean [low, high]``, without what is not known."""
    if math.isnan(estimate.mean):
        return "–"
    if math.isnan(estimate.low):
        return number(estimate.mean)
    return f"{number(estimate.mean)} [{number(estimate.low)}, {number(estimate.high)}]"


def number(value: float) -> str:
    """Write a number with the digits that matter at its size."""
    if value == 0.0 or abs(value) >= 100.0:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) < 10.0 else f"{value:.1f}"


def _cost_cells(cost: CostRow) -> list[str]:
    style = STYLES.get(cost.verdict, "default")
    return [
        escape(f"{interval(cost.estimate)} / {number(cost.budget)}"),
        f"[{style}]{cost.verdict}[/{style}]",
    ]
