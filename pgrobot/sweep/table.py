"""The results of a sweep as a table for people."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from pgrobot.numerals import numeral
from pgrobot.run import STYLES
from pgrobot.sweep.statistics import QUARTER, Estimate, OverRuns
from pgrobot.sweep.summary import CostRow, Row, varying

CAPTION = (
    "means over n runs with Student's 95 % interval; IQM: the mean of the middle half with its trimmed-mean t "
    "interval; k/n: runs that keep the budget by their own verdict"
)


def print_table(rows: Sequence[Row], console: Console) -> None:
    """Print what was chosen, then return, steps of an episode and costs over the seeds, uncut at any width.

    Each figure is a mean with its interval and, where that leaves runs out, the interquartile mean; a cost stands
    before its budget, the verdict over all runs and how many of them keep the budget. Each setting is one line of a
    table where the console is wide enough for it, else a block of lines.
    """
    drawn = _table(rows)
    unbounded = console.options.update_width(sys.maxsize)
    if Measurement.get(console, unbounded, drawn).maximum <= console.width:
        console.print(drawn)
        return
    keys = varying(rows)
    for row in rows:
        console.print(_block(row, keys, console.width), soft_wrap=True)
    console.print(CAPTION, style="table.caption", highlight=False)


def _table(rows: Sequence[Row]) -> Table:
    keys = varying(rows)
    names = list(dict.fromkeys(name for row in rows for name in row.costs))
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=CAPTION)
    for key in keys:
        drawn.add_column(escape(key.removeprefix("constraint.")))
    for title in ("n", "return", "steps", *names):
        drawn.add_column(escape(title), justify="right")
    for row in rows:
        cells = [escape(row.settings.get(key, "")) for key in keys]
        cells.append(_runs(row))
        cells.append(_with_intervals(numeral(row.episode_return.mean.centre), row.episode_return))
        cells.append(numeral(row.episode_length.mean.centre))
        costs = [_cost(row.costs[name], row.runs) if name in row.costs else "" for name in names]
        drawn.add_row(*cells, *costs)
    return drawn


def _block(row: Row, keys: Sequence[str], width: int) -> Text:
    """The settings as a heading and one figure a line; what makes a line too wide stands below it, indented."""
    settings = [f"{key}={row.settings[key]}" for key in keys if key in row.settings]
    heading = _line([Text(words, "bold") for words in (*settings, f"n {_runs(row)}")], width, "")
    figures = {
        "return": _with_intervals(numeral(row.episode_return.mean.centre), row.episode_return),
        "steps": _with_intervals(numeral(row.episode_length.mean.centre), row.episode_length),
        **{name: _cost(cost, row.runs) for name, cost in row.costs.items()},
    }
    widest = max(map(len, figures))
    lines = [heading]
    for name, cell in figures.items():
        head, *intervals = map(Text.from_markup, cell.split("\n"))
        head = Text(f"  {name:<{widest}}  ").append_text(head)
        lines.append(_line([head, *intervals], width, " " * (widest + 4)))
    return Text("\n").join([*lines, Text()])


def _line(parts: Sequence[Text], width: int, indent: str) -> Text:
    line = Text("  ").join(parts)
    return line if line.cell_len <= width else Text(f"\n{indent}").join(parts)


def _runs(row: Row) -> str:
    return str(row.runs) if row.finished == row.runs else f"{row.finished} of {row.runs}"


def _cost(cost: CostRow, runs: int) -> str:
    style = STYLES[cost.verdict]
    verdict = f"[{style}]{cost.verdict} {cost.counts.get('satisfied', 0)}/{runs}[/{style}]"
    return _with_intervals(
        f"{numeral(cost.figure.mean.centre)} / {numeral(cost.budget)} {verdict}", cost.figure
    )


def _with_intervals(head: str, figure: OverRuns) -> str:
    lines = [head]
    if not math.isnan(figure.mean.low):
        lines.append(f"[dim]{_interval(figure.mean)}[/dim]")
    if int(QUARTER * figure.runs) and not math.isnan(figure.mean.low):
        lines.append(f"[dim]IQM {numeral(figure.iqm.centre)} {_interval(figure.iqm)}[/dim]")
    return "\n".join(lines)


def _interval(estimate: Estimate) -> str:
    """Escaped for markup; empty where there is none."""
    if math.isnan(estimate.low):
        return ""
    return escape(f"[{numeral(estimate.low)}, {numeral(estimate.high)}]")
