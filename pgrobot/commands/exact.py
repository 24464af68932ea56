"""``pgrobot exact``."""

from __future__ import annotations

from pgrobot.commands.parser import Parser


def exact(words: list[str]) -> int:
    """``pgrobot exact``: exit status 0 only if every number is within its tolerance."""
    parser = Parser(
        prog="pgrobot exact",
        description="Compare what trains with closed forms, enumeration and identities in small worlds. "
        "The exit status is 0 only if every number is within its tolerance.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "checks",
        nargs="*",
        help="which ones, or a group of them such as constraints; all where none is named",
    )
    parser.add_argument("--list", action="store_true", help="say which checks there are, and what each shows")
    asked = parser.parse_args(words)
    from rich.console import Console

    from pgrobot.laboratory.running import print_catalogue, run_checks

    if asked.list:
        print_catalogue(Console())
        return 0
    return 0 if run_checks(asked.checks, Console()) else 1
