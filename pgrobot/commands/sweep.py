"""``pgrobot sweep``."""

from __future__ import annotations

from pathlib import Path

from pgrobot.commands.parser import Parser


def sweep(words: list[str]) -> int:
    """``pgrobot sweep``: rebuild the table of a sweep from its files."""
    parser = Parser(
        prog="pgrobot sweep",
        description="Rebuild the table, summary.csv and summary.json of a sweep from its run directories.",
        allow_abbrev=False,
    )
    parser.add_argument("directory", type=Path, help="the directory of a sweep")
    asked = parser.parse_args(words)
    from rich.console import Console

    from pgrobot.sweep import report

    report(asked.directory, Console())
    return 0
