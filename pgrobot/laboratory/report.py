"""What the laboratory says of its checks, one after the other as they are done."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pgrobot.laboratory.check import Outcome

COLUMNS = {"estimate": 11, "exact": 11, "error": 7, "tolerance": 9, "": 6}
WIDEST = 110


def print_header(console: Console) -> None:
    """Name the columns."""
    console.print(_laid_out(console, [("check", *COLUMNS)], "dim"))


def print_check(console: Console, name: str, outcomes: Sequence[Outcome], seconds: float) -> None:
    """Print a line per outcome under the name of the check; where there is little room names fold, figures never."""
    console.print(f"[bold]{escape(name)}[/bold] [dim]{seconds:.1f} s[/dim]", highlight=False)
    console.print(_laid_out(console, [_row(outcome) for outcome in outcomes], ""))


def print_verdict(console: Console, outcomes: Sequence[Outcome], seconds: float) -> None:
    """Sum up in a sentence."""
    failed = sum(not outcome.ok for outcome in outcomes)
    verdict = (
        f"[bold red]{failed} of {len(outcomes)} failed[/bold red]" if failed else f"all {len(outcomes)} ok"
    )
    console.print(f"{verdict} in {seconds:.1f} s", highlight=False)


def _row(outcome: Outcome) -> tuple[str, ...]:
    return (
        escape(outcome.name),
        f"{outcome.estimate:.6g}",
        f"{outcome.exact:.6g}",
        f"{outcome.error:.1e}",
        f"{outcome.tolerance:.1e}",
        "[green]ok[/green]" if outcome.ok else "[bold red]failed[/bold red]",
    )


def _laid_out(console: Console, rows: Sequence[tuple[str, ...]], style: str) -> Table:
    """Rows in the same columns every time, so that tables printed one by one make up a single one."""
    table = Table.grid(padding=(0, 1, 0, 0))
    figures = sum(COLUMNS.values()) + len(COLUMNS) + 1
    table.add_column(width=max(min(console.width, WIDEST) - figures, 10), overflow="fold")
    for title, width in COLUMNS.items():
        table.add_column(width=width, justify="right" if title else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row, style=style)
    return table
