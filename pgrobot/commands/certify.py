"""``pgrobot certify``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pgrobot.commands.parser import Parser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pgrobot.constraints import Conclusion


def certify(words: list[str]) -> int:
    """``pgrobot certify``: exit status 0 only if every budget is satisfied."""
    parser = Parser(
        prog="pgrobot certify",
        description="Judge a run's best policy on episodes of its own until every budget is decided, and write "
        "<run>/certificate.json, which pgrobot verify checks. The bounds hold however often it is looked. The exit "
        "status is 0 only if every budget is satisfied. What is left out is as the run had it.",
        allow_abbrev=False,
    )
    parser.add_run()
    parser.add_argument("--episodes", type=int, help="how many at most (1600)")
    parser.add_argument(
        "--mode", choices=("stochastic", "deterministic"), help="actions that are drawn, or the mean"
    )
    parser.add_argument("--confidence", type=float, help="of every bound, over all looks together")
    parser.add_argument("--bound", choices=("student-t", "betting"), help="how bounds on a mean are found")
    parser.add_argument(
        "--variation",
        action=argparse.BooleanOptionalAction,
        help="whether the model varies as it may in training, or is the robot's own",
    )
    parser.add_argument("--seed", type=int, help="of the certificate's own random streams")
    asked = parser.parse_run(words)
    from rich.console import Console

    from pgrobot.certificate import NAME, certify_run
    from pgrobot.certificate.shown import print_certificate
    from pgrobot.run import check_changes

    changes = {
        key: getattr(asked, key)
        for key in ("episodes", "mode", "confidence", "bound", "seed", "variation")
        if getattr(asked, key) is not None
    }
    check_changes(changes, "--")
    content = certify_run(asked.run, changes, None, asked.modules, told)
    print_certificate(Console(), content)
    print(asked.run / NAME)
    return 0 if content["verdict"] == "satisfied" else 1


def told(episodes: int, judged: Mapping[str, Conclusion]) -> None:
    """Say what a look has shown."""
    words = ", ".join(
        f"{name} {found.verdict}{', doubtfully' * bool(found.warnings)}" for name, found in judged.items()
    )
    print(f"after {episodes:,} episodes: {words}", flush=True)
