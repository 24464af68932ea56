"""``pgrobot evaluate``."""

from __future__ import annotations

import argparse

from pgrobot.commands.parser import Parser


def evaluate(words: list[str]) -> int:
    """``pgrobot evaluate``: exit status 0 only if every budget is satisfied."""
    parser = Parser(
        prog="pgrobot evaluate",
        description="Judge a run's policy against its budgets, with its normaliser frozen and on seeds of its own. "
        "The exit status is 0 only if every budget is satisfied. What is left out is as the run had it.",
        allow_abbrev=False,
    )
    parser.add_run()
    parser.add_argument("--checkpoint", default="best", help="best (the default), last, step_<n>, or a path")
    parser.add_argument("--episodes", type=int, help="how many episodes")
    parser.add_argument(
        "--mode",
        choices=("stochastic", "deterministic"),
        help="which mode decides: actions that are drawn, or the mean; both are judged",
    )
    parser.add_argument("--confidence", type=float, help="of the bounds that are compared with the budgets")
    parser.add_argument(
        "--bound", choices=("student-t", "bootstrap", "betting"), help="how bounds on a mean are found"
    )
    parser.add_argument(
        "--variation",
        action=argparse.BooleanOptionalAction,
        help="whether the model varies as it may in training, or is the robot's own",
    )
    parser.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="variation.<name>=<from>:<to>:<count>",
        help="also evaluate with this entry at each of these values; two of them make a grid. Table and pictures are "
        "kept in the run directory",
    )
    parser.add_argument("--seed", type=int, help="of the evaluation's own random streams")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead, as result.json has it"
    )
    asked = parser.parse_run(words)
    import json

    from rich.console import Console

    from pgrobot.api import evaluate as evaluate_run
    from pgrobot.files import strict
    from pgrobot.run import check_changes, print_evaluation
    from pgrobot.run.robustness_shown import print_robustness

    changes = {
        key: getattr(asked, key)
        for key in ("episodes", "mode", "confidence", "bound", "seed", "variation")
        if getattr(asked, key) is not None
    }
    check_changes(changes, "--")
    told = evaluate_run(
        asked.run, checkpoint=asked.checkpoint, modules=asked.modules, sweep=asked.sweep, **changes
    )
    if asked.json:
        print(json.dumps(strict(told), indent=2, allow_nan=False))
    else:
        print_evaluation(Console(), told)
        if asked.sweep:
            print_robustness(Console(), told["sweep"], asked.run)
    return 0 if all(cost["verdict"] == "satisfied" for cost in told["costs"].values()) else 1
