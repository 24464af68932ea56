"""The results of a sweep as a table for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from pgrobot.run import STYLES, number
from pgrobot.sweep.statistics import Estimate
from pgrobot.sweep.summary import CostRow, Row, varying


def table(rows: Sequence[Row]) -> Table:
    """Lay out one row per setting: what was chosen, then return and costs over the seeds.

    Each figure is an interquartile mean with its 95 % interval below it; a cost stands before its budget and verdict.
    """
    keys = varying(rows)
    names = list(dict.fromkeys(name for row in rows for name in row.costs))
    drawn = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, caption="interquartile means over seeds, [95 % interval]"
    )
    for key in keys:
        widest = max(len(row.settings.get(key, "")) for row in rows)
        drawn.add_column(key.removeprefix("constraint."), overflow="fold", min_width=widest)
    for title in ("runs", "return", *names):
        drawn.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        cells = [escape(row.settings.get(key, "")) for key in keys]
        cells += [
            f"{row.finished}/{row.runs}",
            _with_interval(number(row.episode_return.mean), row.episode_return),
        ]
        drawn.add_row(*cells, *(_cost(row.costs[name]) if name in row.costs else "" for name in names))
    return drawn


def _cost(cost: CostRow) -> str:
    style = STYLES[cost.verdict]
    head = f"{number(cost.estimate.mean)} / {number(cost.budget)} [{style}]{cost.verdict}[/{style}]"
    return _with_interval(head, cost.estimate)


def _with_interval(head: str, estimate: Estimate) -> str:
    if math.isnan(estimate.low):
        return head
    return f"{head}\n[dim]{escape(f'[{number(estimate.low)}, {number(estimate.high)}]')}[/dim]"
