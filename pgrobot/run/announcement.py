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

from pgrobot.constraints import UNITS
from pgrobot.constraints.caution import percent
from pgrobot.numerals import numeral
from pgrobot.run_directory import REPORT

STYLES = {"satisfied": "green", "violated": "red", "undecided": "yellow"}
WIDE = 72  # columns from which a table has room for the length of episodes

MODELS = {
    "full": "the model varies in these episodes, over all that variation may draw",
    "nominal": "the model is the robot's own in these episodes, though it varies in training",
}


def print_evaluation(console: Console, told: Mapping[str, Any]) -> None:
    """Print the return and a verdict per budget, what was judged, and what it has to be read with.

    Args:
        console: where; the table is meant for 60 columns and more.
        told: as in ``result.json``.
    """
    episodes = told["return"]["episodes"]
    low, high = told["return"]["ci95"]
    console.print(
        f"return [bold]{numeral(told['return']['mean'])}[/bold]  "
        f"(95 % interval {numeral(low)} to {numeral(high)}, {episodes} episodes)"
    )
    if told["failures"]:
        cut = "1 simulation" if told["failures"] == 1 else f"{told['failures']} simulations"
        console.print(
            f"[bold red]{cut} broke[/bold red] and cut episodes short: "
            "what they would have cost is not known, so no budget counts as satisfied"
        )
    if told.get("skipped_updates"):
        console.print(f"[bold red]{told['skipped_updates']} updates were skipped[/bold red], see run.log")
    if told["costs"]:
        _print_verdicts(console, told["costs"], episodes)
    else:
        console.print("nothing was limited")
    if "judged" in told:
        _print_judged(console, told)
    for sentence in told["warnings"]:
        console.print(f"[yellow]{escape(sentence)}[/yellow]")


def _print_verdicts(console: Console, costs: Mapping[str, Mapping[str, Any]], episodes: int) -> None:
    console.print(verdict_table(costs, lengths=console.width >= WIDE))
    for name, cost in costs.items():
        if cost["verdict"] == "undecided" and math.isfinite(cost["episodes_needed"]):
            console.print(f"{escape(name)}: some {cost['episodes_needed']:,.0f} episodes would decide")
    first = next(iter(costs.values()))
    assumed = ", or ".join(dict.fromkeys(cost["assumes"] for cost in costs.values()))
    console.print(
        f"[dim]Each bound holds with {percent(first['confidence'])} confidence and assumes {assumed}. At most "
        f"{percent(first['unseen'])} of all episodes cost more, or return less, than the worst of these {episodes}."
        "[/dim]"
    )


def _print_judged(console: Console, told: Mapping[str, Any]) -> None:
    judged, length = told["judged"], told["episode_length"]
    console.print(
        f"judged the policy of step {judged['step']:,} of {judged['of_steps']:,} ({escape(judged['checkpoint'])}), "
        f"{judged['mode']}, on {judged['episodes']} episodes of seed {judged['seed']}, "
        f"which last {_steps(length)} on average"
    )
    if judged.get("repeats", "none") != "none":
        shared = "these are" if judged["repeats"] == "all" else "these share some with"
        console.print(
            f"{shared} the episodes that judged the run at its end: another --seed judges on new ones"
        )
    if judged.get("variation", "none") != "none":
        console.print(MODELS[judged["variation"]])
    other = told["other_mode"]
    figures = [f"return {numeral(other['return']['mean'])}", _steps(other["episode_length"])]
    figures += [
        f"{escape(name)} {numeral(cost['mean'])} [{STYLES[cost['verdict']]}]{cost['verdict']}[/]"
        for name, cost in other["costs"].items()
    ]
    console.print(f"{other['mode']}, which does not decide: {', '.join(figures)}")


def _steps(length: Mapping[str, Any]) -> str:
    return f"{length['mean']:,.0f} of {length['limit']:,} steps"


def verdict_table(costs: Mapping[str, Mapping[str, Any]], lengths: bool) -> Table:
    """Lay out a line per budget; where there is little room names and units are folded, figures never.

    Args:
        costs: as in ``result.json``.
        lengths: whether to show how long the episodes lasted.
    """
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="dim")
    table.add_column("constraint", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for title in ("mean", "bound", "budget"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    if lengths:
        table.add_column("steps", justify="right", no_wrap=True)
    for name, cost in costs.items():
        style = STYLES[cost["verdict"]]
        cells = [
            escape(name),
            f"[bold {style}]{cost['verdict']}[/bold {style}]",
            numeral(cost["mean"]),
            numeral(cost["upper"]),
            numeral(cost["budget"]),
            UNITS[cost["unit"]],
        ]
        table.add_row(*cells, *([numeral(cost["episode_length"])] if lengths else []))
    return table


def resume_command(run: Path, modules: Sequence[str]) -> str:
    """What to type to go on with a run; whose modules to trust is said anew each time."""
    trusted = [shlex.quote(f"modules=[{','.join(modules)}]")] if modules else []
    return " ".join(["pgrobot train", f"resume={shlex.quote(str(run))}", *trusted])


def print_introduction(console: Console, told: Sequence[tuple[str, str]]) -> None:
    """Print what a task says of itself before it is trained in."""
    for word, words in told:
        console.print(f"{word:<11}{words}", soft_wrap=True, highlight=False, markup=False)


def print_next(
    console: Console, run: Path, overrides: Sequence[str], modules: Sequence[str], seed: int
) -> None:
    """Print where the run lies and what to type next."""
    again = " ".join(shlex.quote(line) for line in overrides if not line.startswith("seed="))
    path, page = shlex.quote(str(run)), run / REPORT
    trusted = " --modules " + " ".join(map(shlex.quote, modules)) if modules else ""
    for words in (
        "",
        f"run        {path}",
        f"report     {shlex.quote(str(page)) if page.exists() else f'pgrobot report {path}'}",
        f"evaluate   pgrobot evaluate {path}{trusted}",
        f"train on   {resume_command(run, modules)} total_steps=<more>",
        f"seeds      pgrobot train -m {again} 'seed=range({seed},{seed + 3})'".replace("  'seed", " 'seed"),
    ):
        console.print(words, soft_wrap=True, highlight=False, markup=False)
