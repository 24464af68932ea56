"""What the command line says at the end of a run or an evaluation."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

STYLES = {"satisfied": "green", "violated": "red", "undecided": "yellow"}
UNITS = {
    "episode": "per episode",
    "step": "per step",
    "discounted": "per episode, discounted",
    "probability": "of episodes",
}


def print_evaluation(console: Console, told: Mapping[str, Any]) -> None:
    """Print the return and a verdict per budget.

    Args:
        console: where.
        told: ``return``, ``costs`` and ``failures`` as in ``result.json``.
    """
    episodes = told["return"]["episodes"]
    low, high = told["return"]["ci95"]
    console.print(
        f"return [bold]{number(told['return']['mean'])}[/bold]  "
        f"(95 % interval {number(low)} to {number(high)}, {episodes} episodes)"
    )
    if told["failures"]:
        console.print(
            f"[bold red]{told['failures']} simulations broke[/bold red] and cut their episodes short: "
            "the figures may flatter the policy"
        )
    if told["costs"]:
        console.print(verdict_table(told["costs"]))
    else:
        console.print("nothing was limited")


def verdict_table(costs: Mapping[str, Mapping[str, Any]]) -> Table:
    """Lay out a line per budget."""
    confidence = 100.0 * next(iter(costs.values()))["confidence"]
    table = Table("constraint", box=None, pad_edge=False, header_style="dim")
    for title in ("mean", f"{confidence:g} % bound", "budget"):
        table.add_column(title, justify="right")
    table.add_column("")
    table.add_column("verdict")
    for name, cost in costs.items():
        style = STYLES[cost["verdict"]]
        table.add_row(
            escape(name),
            number(cost["mean"]),
            number(cost["upper"]),
            number(cost["budget"]),
            UNITS[cost["unit"]],
            f"[bold {style}]{cost['verdict']}[/bold {style}]{_hint(cost)}",
        )
    return table


def resume_command(run: Path, modules: Sequence[str]) -> str:
    """What to type to go on with a run; whose modules to trust is said anew each time."""
    trusted = [shlex.quote(f"modules=[{','.join(modules)}]")] if modules else []
    return " ".join(["pgrobot train", f"resume={shlex.quote(str(run))}", *trusted])


def print_next(
    console: Console, run: Path, overrides: Sequence[str], modules: Sequence[str], seed: int
) -> None:
    """Print where the run lies and what to type next."""
    again = " ".join(shlex.quote(line) for line in overrides if not line.startswith("seed="))
    path = shlex.quote(str(run))
    trusted = " --modules " + " ".join(map(shlex.quote, modules)) if modules else ""
    for words in (
        "",
        f"run        {path}",
        f"evaluate   pgrobot evaluate {path}{trusted}",
        f"train on   {resume_command(run, modules)} total_steps=<more>",
        f"seeds      pgrobot train -m {again} 'seed=range({seed},{seed + 3})'".replace("  'seed", " 'seed"),
    ):
        console.print(words, soft_wrap=True, highlight=False, markup=False)


def number(value: float) -> str:
    """Write a number with the digits that matter at its size."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "–∞" if value < 0 else "–"
    if value == 0.0 or abs(value) >= 100.0:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10.0 else f"{value:.1f}"


def _hint(cost: Mapping[str, Any]) -> str:
    if cost["verdict"] != "undecided" or not math.isfinite(cost["episodes_needed"]):
        return ""
    return f" (some {cost['episodes_needed']:,.0f} episodes would decide)"
