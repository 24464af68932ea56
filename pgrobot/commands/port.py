"""``pgrobot port``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pgrobot.commands.parser import Parser

if TYPE_CHECKING:
    from rich.console import Console

    from pgrobot.porting import Port

DESCRIPTION = (
    "Map a run's policy and critic onto another robot, or another version of its own, by the names of what is "
    "observed, driven and counted. What is new has weights of zero, so that the policy acts as it did; what is gone "
    "counts as if it were at its mean. Writes <run>/ported/<task>, for pgrobot train "
    "initialise.run=<run>/ported/<task>."
)


def port(words: list[str]) -> int:
    """``pgrobot port``: exit status 0 once it is written."""
    parser = Parser(prog="pgrobot port", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("run", help="a run directory")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="key=value",
        help="which robot it is: task=ant, variation=…, wrapper=…, constraint=…",
    )
    parser.add_argument("--checkpoint", default="best", help="best (the default), last, step_<n>, or a path")
    parser.add_argument("--output", default="", help="the directory to write (default: <run>/ported/<task>)")
    parser.add_argument(
        "--modules", nargs="*", default=[], help="your own modules that the run's config names"
    )
    asked = parser.parse_intermixed_args(words)
    from rich.console import Console

    from pgrobot.porting import port_run

    made = port_run(
        Path(asked.run), asked.words, asked.checkpoint, output=asked.output, modules=asked.modules
    )
    print_port(Console(), made)
    return 0


def print_port(console: Console, made: Port) -> None:
    """Print what matched, what is new and what is gone, by name, and what to type next."""
    from rich.table import Table

    told = made.told
    console.print(f"{made.source} → {made.name}", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for title in ("matched", "new", "gone"):
        table.add_column(title, justify="right")
    for matching in told.matchings:
        counts = (len(names) for names in (matching.matched, matching.new, matching.gone))
        table.add_row(matching.kind, *map(str, counts))
    console.print(table)
    for matching in told.matchings:
        for word, names in (("new", matching.new), ("gone", matching.gone)):
            if names:
                console.print(f"{word} {matching.kind}: {', '.join(names)}", markup=False, highlight=False)
    for note in told.notes:
        console.print(note, markup=False, highlight=False)
    console.print(
        f"the same mean actions to {told.difference:.0e} of a policy unit, of what is gone at its mean\n"
        f"begin with it: pgrobot train initialise.run={made.path} …",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
