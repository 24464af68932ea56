"""The results of a sweep as a table for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from pgrobot.run import STYLES, number
from pgrobot.sweep.statistics import QUARTER, Estimate, OverRuns
from pgrobot.sweep.summary import CostRow, Row, varying

CAPTION = (
    "means over n runs with Student's 95 % interval; IQM: the mean of the middle half with its trimmed-mean t "
    "interval; k/n: runs that keep the budget by their own verdict"
)


def table(rows: Sequence[Row]) -> Table:
    """Lay out one row per setting: what was chosen, then return, steps of an episode and costs over the seeds.

    Each figure is a mean with its interval below it and, where that leaves runs out, the interquartile mean; a cost
    stands before its budget, the verdict over all runs and how many of them keep the budget.
    """
    keys = varying(rows)
    names = list(dict.fromkeys(name for row in rows for name in row.costs))
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=CAPTION)
    for key in keys:
        widest = max(len(row.settings.get(key, "")) for row in rows)
        drawn.add_column(key.removeprefix("constraint."), overflow="fold", min_width=widest)
    for title in ("n", "return", "steps", *names):
        drawn.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        cells = [escape(row.settings.get(key, "")) for key in keys]
        cells.append(str(row.runs) if row.finished == row.runs else f"{row.finished} of {row.runs}")
        cells.append(_with_intervals(number(row.episode_return.mean.centre), row.episode_return))
        cells.append(number(row.episode_length.mean.centre))
        costs = [_cost(row.costs[name], row.runs) if name in row.costs else "" for name in names]
        drawn.add_row(*cells, *costs)
    return drawn


def _cost(cost: CostRow, runs: int) -> str:
    style = STYLES[cost.verdict]
    verdict = f"[{style}]{cost.verdict} {cost.counts.get('satisfied', 0)}/{runs}[/{style}]"
    return _with_intervals(
        f"{number(cost.figure.mean.centre)} / {number(cost.budget)} {verdict}", cost.figure
    )


def _with_intervals(head: str, figure: OverRuns) -> str:
    lines = [head]
    if not math.isnan(figure.mean.low):
        lines.append(f"[dim]{_interval(figure.mean)}[/dim]")
    if int(QUARTER * figure.runs) and not math.isnan(figure.mean.low):
        lines.append(f"[dim]IQM {number(figure.iqm.centre)} {_interval(figure.iqm)}[/dim]")
    return "\n".join(lines)


def _interval(estimate: Estimate) -> str:
    """Escaped for markup; empty where there is none."""
    if math.isnan(estimate.low):
        return ""
    return escape(f"[{number(estimate.low)}, {number(estimate.high)}]")
