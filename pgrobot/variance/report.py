"""What the variance laboratory says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pgrobot.numerals import numeral
from pgrobot.variance.baselines import REFERENCES

LEAST_KNOWN = 1.0  # a shift that is not known to within this share of the gradient is not shown


def print_variance(console: Console, told: Mapping[str, Any]) -> None:
    """Print a line per baseline.

    Args:
        console: where; the table is meant for 60 columns and more.
        told: as ``measure`` returns it.
    """
    console.print(
        f"policy gradient of {told['num_envs']} × {told['horizon']} steps, "
        f"policy of step {told['global_step']:,}, {told['rollouts']} rollouts",
        highlight=False,
    )
    console.print(variance_table(told))
    percent = f"{100.0 * told['confidence']:g} %"
    console.print(
        "[dim]variance: trace of the covariance, in units of that of none and of value (with its "
        f"{percent} interval); half of it is worth twice the rollouts. shift: of the mean gradient along itself. "
        "p: that no mean differs, for all rows together.[/dim]",
        highlight=False,
    )
    biased = [name for name, row in told["baselines"].items() if row.get("bias", {}).get("biased")]
    if biased:
        console.print(f"[bold red]biased:[/bold red] {escape(', '.join(biased))}", highlight=False)
    else:
        console.print(f"none was found biased at the level {told['level']:g}", highlight=False)


def variance_table(told: Mapping[str, Any]) -> Table:
    """Lay out a line per baseline; where there is little room names and shifts are folded, variances never."""
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="dim")
    table.add_column("variance over", overflow="fold")
    for title in (*REFERENCES, "interval"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("shift", justify="right")
    table.add_column("p", justify="right", no_wrap=True)
    plain, quiet = REFERENCES
    for name, row in told["baselines"].items():
        ratio = row["ratio"][quiet]
        interval = "" if name == quiet else f"{numeral(ratio['low'])}\N{EN DASH}{numeral(ratio['high'])}"
        table.add_row(
            escape(name),
            numeral(row["ratio"][plain]["estimate"]),
            f"[bold]{numeral(ratio['estimate'])}[/bold]",
            interval,
            *_bias(row.get("bias")),
        )
    return table


def _bias(told: Mapping[str, Any] | None) -> tuple[str, str]:
    if told is None:
        return "", ""
    shift, p = told["shift"], told["p_value"]
    reach = 0.5 * (shift["high"] - shift["low"])
    known = reach <= LEAST_KNOWN  # never so where they are no numbers
    share = f"{100.0 * shift['estimate']:+.1f} ± {100.0 * reach:.1f} %" if known else "\N{EN DASH}"
    text = f"{p:.1e}" if p < 1e-3 else f"{p:.3f}"
    return share, f"[bold red]{text}[/bold red]" if told["biased"] else text
