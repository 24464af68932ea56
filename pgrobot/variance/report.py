"""What the variance laboratory says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pgrobot.run import number
from pgrobot.variance.baselines import REFERENCES

INTERVAL = 16  # columns that an interval takes


def print_variance(console: Console, told: Mapping[str, Any]) -> None:
    """Print a line per baseline.

    Args:
        console: where; the table is meant for 80 columns and more.
        told: as ``measure`` returns it.
    """
    rows = told["num_envs"] * told["horizon"]
    console.print(
        f"Variance of the policy gradient of {rows:,} steps ({told['num_envs']} × {told['horizon']}), "
        f"at step {told['global_step']:,}, from {told['rollouts']} rollouts",
        highlight=False,
    )
    console.print(variance_table(told))
    percent = f"{100.0 * told['confidence']:g} %"
    console.print(
        f"[dim]Ratios of the trace of the covariance, {percent} intervals over the rollouts: half of it is worth twice "
        "the rollouts. Shift: of the mean gradient along itself, against the reference with less noise; "
        "p: of no shift in any tested direction, for all rows together.[/dim]",
        highlight=False,
    )
    biased = [name for name, row in told["baselines"].items() if row.get("bias", {}).get("biased")]
    if biased:
        console.print(f"[bold red]biased:[/bold red] {escape(', '.join(biased))}", highlight=False)
    else:
        console.print(f"none was found biased at the level {told['level']:g}", highlight=False)


def variance_table(told: Mapping[str, Any]) -> Table:
    """Lay out a line per baseline; where there is little room names and intervals are folded, figures never."""
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="dim")
    table.add_column("baseline", overflow="fold")
    for other in REFERENCES:
        table.add_column(f"variance / {other}", justify="right", min_width=INTERVAL)
    table.add_column("shift", justify="right", min_width=7)
    table.add_column("p", justify="right", no_wrap=True)
    for name, row in told["baselines"].items():
        cells = [_ratio(row["ratio"][other], reference=name == other) for other in REFERENCES]
        table.add_row(escape(name), *cells, *_bias(row.get("bias")))
    return table


def _ratio(told: Mapping[str, float], *, reference: bool) -> str:
    if reference:
        return "1"
    low, high = number(told["low"]), number(told["high"])
    return f"[bold]{number(told['estimate'])}[/bold] ({low}\N{EN DASH}{high})"


def _bias(told: Mapping[str, Any] | None) -> tuple[str, str]:
    if told is None:
        return "", ""
    shift, p = told["shift"], told["p_value"]
    known = math.isfinite(shift["estimate"])
    reach = 50.0 * (shift["high"] - shift["low"])
    share = f"{100.0 * shift['estimate']:+.1f} ± {reach:.1f} %" if known else "\N{EN DASH}"
    text = f"{p:.1e}" if p < 1e-3 else f"{p:.3f}"
    return share, f"[bold red]{text}[/bold red]" if told["biased"] else text
