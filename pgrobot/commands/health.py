"""``pgrobot health``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgrobot.commands.parser import Parser

if TYPE_CHECKING:
    from rich.console import Console

    from pgrobot.health import Examination


def health(words: list[str]) -> int:
    """``pgrobot health``: exit status 0 only if nothing is found that is an error."""
    parser = Parser(
        prog="pgrobot health",
        description="What is wrong with a run, finished or not, from its metrics: findings in plain words, and what "
        "to do. The exit status is 0 only if none of them is an error.",
        allow_abbrev=False,
    )
    parser.add_argument("run", help="a run directory")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead, as health.json has it"
    )
    asked = parser.parse_args(words)
    import json
    from pathlib import Path

    from rich.console import Console

    from pgrobot.files import strict
    from pgrobot.health import as_json, examine_run
    from pgrobot.run_directory import check_run

    check_run(Path(asked.run))
    examination = examine_run(Path(asked.run))
    if asked.json:
        print(json.dumps(strict(as_json(examination)), indent=2, allow_nan=False))
    else:
        print_health(Console(), examination)
    return 1 if any(finding.severity == "error" for finding in examination.standing) else 0


def print_health(console: Console, examination: Examination) -> None:
    """Print what stands, with its evidence and what to do, and what is gone."""
    from rich.padding import Padding

    from pgrobot.tracking.panel import figure, findings_table

    if examination.summary:
        console.print(examination.summary, highlight=False)
    for finding in examination.standing:
        console.print(findings_table((finding,), remedies=True))
        known = "   ".join(f"{name} {figure(value)}" for name, value in finding.evidence.items())
        evidence = f"{finding.name}, since step {finding.since_step:,}: {known}"
        console.print(Padding(evidence, (0, 0, 1, 2)), style="dim", markup=False, highlight=False)
    for finding, until in examination.past:
        console.print(
            f"gone: {finding.name} {finding.subject}".rstrip()
            + f", steps {finding.since_step:,} to {until:,}",
            style="dim",
            markup=False,
            highlight=False,
        )
