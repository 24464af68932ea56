"""``pgrobot evaluate``."""

from __future__ import annotations

from pathlib import Path

from pgrobot.commands.parser import Parser


def evaluate(words: list[str]) -> int:
    """``pgrobot evaluate``: exit status 0 only if every budget is satisfied."""
    parser = Parser(
        prog="pgrobot evaluate",
        description="Judge a run's policy against its budgets, with its normaliser frozen and on seeds of its own. "
        "The exit status is 0 only if every budget is satisfied. What is left out is as the run had it.",
        allow_abbrev=False,
    )
    parser.add_argument("run", type=Path, help="a run directory")
    parser.add_argument("--checkpoint", default="best", help="best (the default), last, step_<n>, or a path")
    parser.add_argument("--episodes", type=int, help="how many episodes")
    parser.add_argument(
        "--mode", choices=("stochastic", "deterministic"), help="draw actions, or act with the mean"
    )
    parser.add_argument("--confidence", type=float, help="of the bounds that are compared with the budgets")
    parser.add_argument("--bound", choices=("student-t", "bootstrap"), help="how bounds on a mean are found")
    parser.add_argument("--seed", type=int, help="of the evaluation's own random streams")
    parser.add_argument(
        "--modules", nargs="*", default=[], help="your own modules that the run's config names"
    )
    asked = parser.parse_args(words)
    from rich.console import Console

    from pgrobot.api import evaluate as evaluate_run
    from pgrobot.run import print_evaluation

    changes = {
        key: getattr(asked, key)
        for key in ("episodes", "mode", "confidence", "bound", "seed")
        if getattr(asked, key) is not None
    }
    told = evaluate_run(asked.run, checkpoint=asked.checkpoint, modules=asked.modules, **changes)
    print_evaluation(Console(), told)
    return 0 if all(cost["verdict"] == "satisfied" for cost in told["costs"].values()) else 1
