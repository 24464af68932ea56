"""The command ``pgrobot``: train, evaluate, look at sweeps, prove the mathematics, measure the variance."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pgrobot.errors import PgrobotError, nearest

BROKEN_PIPE = 1
UNFORESEEN = 1
USAGE = """\
pgrobot trains robots under safety budgets.

  pgrobot train [key=value ...]     train the default robot under its budgets, or any other; pgrobot train --help
  pgrobot evaluate RUN              judge a run's best policy against its budgets; pgrobot evaluate --help
  pgrobot sweep DIR                 the table of a sweep's results (pgrobot train -m ... makes a sweep)
  pgrobot exact [CHECK ...]         prove what trains on closed forms; pgrobot exact --list
  pgrobot variance RUN              what each baseline does to a policy's gradient; pgrobot variance --help

Start with: pgrobot train"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0 is success, 2 is bad input, 1 is anything else: a run or a job that failed, a budget that is not satisfied, a bug;
    130 and 143 say that a signal stopped it.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    verbs: dict[str, Callable[[list[str]], int]] = {
        "train": train,
        "evaluate": evaluate,
        "sweep": sweep,
        "exact": exact,
        "variance": variance,
    }
    if not words or words[0] in ("-h", "--help", "help"):
        print(USAGE)
        return 0
    # Warnings are for the user; a display that is alive prints them above itself.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        if words[0] == "--version":
            from importlib.metadata import version

            print(version("pgrobot"))
            return 0
        if words[0] not in verbs:
            raise PgrobotError(f"There is no command {words[0]!r}: {nearest(words[0], verbs)}")
        return verbs[words[0]](words[1:])
    except PgrobotError as error:
        print(f"pgrobot: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception:  # noqa: BLE001 - it is told with its traceback, as Python would
        traceback.print_exc()
        print(
            "\npgrobot: This was not foreseen. If it is not the fault of something else that the lines above name, "
            "please report it, with them and the command.",
            file=sys.stderr,
        )
        return UNFORESEEN


def train(words: list[str]) -> int:
    """``pgrobot train``: one run, a sweep (``-m``), or information about the config."""
    from pgrobot.configure import compose, search_path

    asked = _train_arguments(words)
    overrides = [*map(_whole_path, asked.overrides), *search_path(asked.config_dir)]
    if asked.help:
        from pgrobot.help import train_page

        print(train_page(overrides))
        return 0
    if asked.multirun and asked.hydra:
        raise PgrobotError(f"{asked.hydra[0]} tells of one run, and a sweep (-m) has several: leave out -m")
    if asked.multirun:
        from pgrobot.sweep import run_sweep

        return run_sweep(overrides)
    if asked.hydra:
        if "--shell-completion" not in asked.hydra:
            compose(overrides)
        _show([*asked.hydra, *overrides])
        return 0
    from rich.console import Console

    from pgrobot.run import FINISHED, Surroundings, prepare, print_evaluation, print_next, resume_command, run

    console = Console()
    request = prepare(overrides)
    result = run(request, Surroundings(tuple(sys.argv), "", 0, console))
    if result.status != FINISHED:
        console.print(
            f"Stopped and saved. Go on with: {resume_command(result.path, request.cfg.modules)}",
            soft_wrap=True,
            highlight=False,
        )
        return result.exit_code
    print_evaluation(console, result.evaluation)
    print_next(console, result.path, request.overrides, request.cfg.modules, request.cfg.seed)
    return 0


@dataclass(frozen=True, slots=True)
class TrainArguments:
    """What ``pgrobot train`` was asked for."""

    overrides: list[str]
    config_dir: list[str]
    hydra: list[str]  # options that Hydra itself answers
    multirun: bool
    help: bool


def _train_arguments(words: Sequence[str]) -> TrainArguments:
    parser = _Parser(prog="pgrobot train", add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("-cd", "--config-dir", action="append", default=[])
    parser.add_argument("-c", "--cfg", choices=("job", "hydra", "all"))
    parser.add_argument("-p", "--package")
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("-i", "--info", nargs="?", const="all")
    parser.add_argument("--hydra-help", action="store_true")
    parser.add_argument("-sc", "--shell-completion", action="store_true")
    asked = parser.parse_intermixed_args(words)
    hydra = []
    for name in ("cfg", "package", "info"):
        if getattr(asked, name) is not None:
            hydra += [f"--{name}", getattr(asked, name)]
    for name in ("resolve", "hydra_help", "shell_completion"):
        if getattr(asked, name):
            hydra.append(f"--{name.replace('_', '-')}")
    return TrainArguments(asked.overrides, asked.config_dir, hydra, asked.multirun, asked.help)


def _whole_path(override: str) -> str:
    """Quote what ``resume`` is given: it is one path, whatever a comma would mean in another value."""
    from pgrobot.configure import quote

    key, _, value = override.partition("=")
    quoted = value[:1] in ("'", '"') or not value
    return override if key != "resume" or quoted else f"resume={quote(value)}"


def _show(arguments: list[str]) -> None:
    """Let Hydra answer: print a config, or tell of itself."""
    import hydra

    from pgrobot.configure import CONFIG_MODULE, CONFIG_NAME, VERSION_BASE
    from pgrobot.sweep import register_resolvers

    register_resolvers()
    main = hydra.main(config_path=f"pkg://{CONFIG_MODULE}", config_name=CONFIG_NAME, **VERSION_BASE)
    before, sys.argv = sys.argv, ["pgrobot train", *arguments]
    try:
        main(lambda _: None)()
    finally:
        sys.argv = before


def evaluate(words: list[str]) -> int:
    """``pgrobot evaluate``: exit status 0 only if every budget is satisfied."""
    parser = _Parser(
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


def sweep(words: list[str]) -> int:
    """``pgrobot sweep``: rebuild the table of a sweep from its files."""
    parser = _Parser(
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


def exact(words: list[str]) -> int:
    """``pgrobot exact``: exit status 0 only if every number is within its tolerance."""
    parser = _Parser(
        prog="pgrobot exact",
        description="Compare what trains with closed forms, enumeration and identities in small worlds. "
        "The exit status is 0 only if every number is within its tolerance.",
        allow_abbrev=False,
    )
    parser.add_argument("checks", nargs="*", help="which ones; all where none is named")
    parser.add_argument("--list", action="store_true", help="say which checks there are, and what each shows")
    asked = parser.parse_args(words)
    from rich.console import Console

    from pgrobot.laboratory.program import print_catalogue, run_checks

    if asked.list:
        print_catalogue(Console())
        return 0
    return 0 if run_checks(asked.checks, Console()) else 1


def variance(words: list[str]) -> int:
    """``pgrobot variance``: exit status 0 only if no baseline is found biased."""
    parser = _Parser(
        prog="pgrobot variance",
        description="Measure on a policy of a run what every baseline and control variate does to the policy gradient: "
        "its variance as a ratio to none and to the critic's value, and whether its mean differs. Advantages are "
        "taken as they are, whatever the run does to them: normalised ones cannot be compared. The table is also "
        "written to <run>/variance.json. The exit status is 0 if no baseline is found biased, 1 if one is.",
        allow_abbrev=False,
    )
    parser.add_argument("run", type=Path, help="a run directory")
    parser.add_argument("--checkpoint", default="last", help="last (the default), best, step_<n>, or a path")
    parser.add_argument("--rollouts", type=int, default=32, help="independent rollouts (default: 32)")
    parser.add_argument(
        "--horizon", type=int, help="steps of each environment in a rollout (default: the run's)"
    )
    parser.add_argument(
        "--warmup",
        type=int,
        help="each rollout begins after so many steps at most, drawn for each, so that episodes of every age occur "
        "(default: the time limit)",
    )
    parser.add_argument("--seed", type=int, default=20_000, help="of all that is drawn (default: 20000)")
    parser.add_argument("--confidence", type=float, default=0.95, help="of the intervals (default: 0.95)")
    parser.add_argument(
        "--level",
        type=float,
        default=0.01,
        help="how often, at most, anything is called biased where nothing is (default: 0.01)",
    )
    parser.add_argument(
        "--modules", nargs="*", default=[], help="your own modules that the run's config names"
    )
    asked = parser.parse_args(words)
    if asked.horizon is not None and asked.horizon < 1:
        parser.error(f"--horizon must be at least 1, not {asked.horizon}")
    if asked.warmup is not None and asked.warmup < 0:
        parser.error(f"--warmup must be at least 0, not {asked.warmup}")
    from rich.console import Console

    from pgrobot.variance import Setting, measure, print_variance

    setting = Setting(
        checkpoint=asked.checkpoint,
        rollouts=asked.rollouts,
        horizon=asked.horizon or 0,
        warmup=-1 if asked.warmup is None else asked.warmup,
        seed=asked.seed,
        confidence=asked.confidence,
        level=asked.level,
    )
    console = Console()
    with console.status("Collecting") as status:
        told = measure(asked.run, asked.modules, setting, status.update)
    print_variance(console, told)
    return 1 if any(row["bias"]["biased"] for row in told["baselines"].values() if "bias" in row) else 0


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        raise PgrobotError(f"{self.prog}: {message} (see {self.prog} --help)")
