"""``pgrobot probe``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgrobot.commands.parser import Parser

if TYPE_CHECKING:
    from rich.console import Console

DESCRIPTION = (
    "What is spent of every cost, in its budget's unit, as quantiles over episodes: by a random policy, which draws "
    "from all that it can do, and of a run by its policy as well. A task takes any key=value of pgrobot train: pgrobot "
    "probe task=hopper 'constraint=[speed,torque]'. Beside it stand the present budget, and the share of episodes that "
    "each keep to it."
)


def probe(words: list[str]) -> int:
    """``pgrobot probe``: exit status 0."""
    parser = Parser(prog="pgrobot probe", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("words", nargs="*", metavar="RUN | key=value", help="a run directory, or a task")
    parser.add_argument("--episodes", type=int, default=100, help="of each policy (default: 100)")
    parser.add_argument("--seed", type=int, default=-1, help="of the episodes (default: that of evaluations)")
    parser.add_argument(
        "--checkpoint", default="", help="of a run: best (the default), last, step_<n>, or a path"
    )
    parser.add_argument(
        "--mode",
        choices=("stochastic", "deterministic"),
        default="",
        help="of a run's policy: drawn or mean actions (default: that in which the run is judged)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument(
        "--modules", nargs="*", default=[], help="your own modules that the run's config names"
    )
    asked = _parsed(parser, words)
    import json

    from rich.console import Console

    from pgrobot.files import strict
    from pgrobot.probing import Probe, probe_run, probe_task

    how = Probe(asked.episodes, asked.seed, asked.mode)
    if asked.run:
        told = probe_run(Path(asked.run), asked.checkpoint or "best", how, asked.modules)
    else:
        told = probe_task(asked.words, how)
    if asked.json:
        print(json.dumps(strict(told), indent=2, allow_nan=False))
    else:
        print_probe(Console(), told)
    return 0


def _parsed(parser: Parser, words: list[str]) -> argparse.Namespace:
    """The words, with ``run``, which is empty where they are a config's."""
    asked = parser.parse_intermixed_args(words)
    if not asked.words and len(asked.modules) > 1:
        *asked.modules, run = asked.modules
        asked.words = [run]
    if not asked.words:
        parser.error("the following arguments are required: a run, or key=value, as task=hopper")
    runs = [word for word in asked.words if "=" not in word or Path(word).is_dir()]
    if runs and len(asked.words) > 1:
        parser.error(f"one run, or key=value, not both: {runs[0]!r}")
    asked.run = runs[0] if runs else ""
    for key in () if asked.run else ("checkpoint", "mode", "modules"):
        if getattr(asked, key):
            parser.error(f"--{key} goes with a run")
    return asked


def print_probe(console: Console, told: Mapping[str, Any]) -> None:
    """Print a line for every cost and policy, what they earn, and what is to be noted."""
    from rich.table import Table

    from pgrobot.constraints import UNITS
    from pgrobot.numerals import numeral

    policies = told["policies"]
    quantiles = list(next(iter(next(iter(policies.values()))["costs"].values()))["quantiles"])
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="dim")
    table.add_column("cost", overflow="fold")
    table.add_column("policy", overflow="fold")
    for title in (*(f"{q} %" for q in quantiles), "mean", "budget"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    table.add_column("within", justify="right", no_wrap=True)
    for name in next(iter(policies.values()))["costs"]:
        for index, (policy, found) in enumerate(policies.items()):
            cost = found["costs"][name]
            unit = UNITS[cost["unit"]]
            limit = f" above {numeral(cost['limit'])}" if cost["unit"] == "probability" else ""
            table.add_row(
                "" if index else name,
                policy,
                *(numeral(value) for value in cost["quantiles"].values()),
                numeral(cost["mean"]),
                numeral(cost["budget"]),
                unit + limit,
                f"{100.0 * cost['within']:.0f} %",
            )
    console.print(table)
    lives = ", ".join(
        f"{policy} {numeral(found['return'])} in {found['episode_length']:,.0f} of {told['episode_limit']:,} steps"
        for policy, found in policies.items()
    )
    console.print(f"\nreturn: {lives}", markup=False, highlight=False)
    console.print(
        f"[dim]{told['episodes']} episodes each. Quantiles are of single episodes, with the unit `of episodes` of "
        "their sums; mean is what a budget limits; within is the share of episodes that each keep to it.[/dim]"
    )
    for note in told["notes"]:
        console.print(note, markup=False, highlight=False)
