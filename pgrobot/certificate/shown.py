"""A certificate in a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pgrobot.constraints import UNITS
from pgrobot.constraints.caution import percent
from pgrobot.numerals import between, numeral
from pgrobot.run import STYLES


def print_certificate(console: Console, content: Mapping[str, Any]) -> None:
    """Print verdicts, bounds and what is claimed; ``content`` as in ``certificate.json``."""
    terms, policy, looks = content["terms"], content["policy"], content["looks"]
    low, high = map(_number, content["return"]["ci95"])
    console.print(
        f"return [bold]{numeral(_number(content['return']['mean']))}[/bold]  "
        f"(95 % interval {numeral(low)} to {numeral(high)}, {looks[-1]['episodes']:,} episodes)"
    )
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="dim")
    table.add_column("constraint", overflow="fold", min_width=len("constraint"))
    table.add_column("verdict", no_wrap=True)
    for title in ("mean", "bounds", "together", "budget"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for name, cost in content["costs"].items():
        style = STYLES[cost["verdict"]]
        table.add_row(
            escape(name),
            f"[bold {style}]{cost['verdict']}[/bold {style}]",
            numeral(_number(cost["mean"])),
            _ends(cost),
            _ends(cost["simultaneous"]),
            numeral(_number(cost["budget"])),
            UNITS[cost["unit"]],
        )
    console.print(table)
    for name, cost in content["costs"].items():
        if cost["verdict"] == "undecided" and cost["episodes_needed"] is not None:
            console.print(f"{escape(name)}: some {cost['episodes_needed']:,.0f} episodes would decide")
    assumed = ", or ".join(dict.fromkeys(cost["assumes"] for cost in content["costs"].values()))
    console.print(
        f"[dim]Each bound holds with {percent(terms['confidence'])} confidence at the {len(terms['looks'])} "
        f"looks that were planned; together: all bounds of all budgets at once. They assume {escape(assumed)}.[/dim]"
    )
    console.print(
        f"certified the policy of step {policy['step']:,} ({escape(policy['checkpoint'])}), {terms['mode']}, on "
        f"{looks[-1]['episodes']:,} episodes of seed {terms['seed']}; looks taken: {len(looks)}"
    )
    if content["earlier"]:
        tried = len(content["earlier"])
        console.print(
            f"[yellow]{tried} earlier certificate{'s' * (tried > 1)} of this policy on other terms: the risk of one "
            "that is chosen among several is larger[/yellow]"
        )
    if content["failures"]:
        console.print(f"[bold red]{content['failures']} simulations broke[/bold red]: nothing is satisfied")
    for sentence in content["warnings"]:
        console.print(f"[yellow]{escape(sentence)}[/yellow]")
    console.print(content["claim"], markup=False, highlight=False)


def _ends(bounds: Mapping[str, Any]) -> str:
    lower = -math.inf if bounds["lower"] is None else bounds["lower"]
    upper = math.inf if bounds["upper"] is None else bounds["upper"]
    low, high = between(lower, upper)
    return f"{low} to {high}"


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
