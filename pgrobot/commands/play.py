"""``pgrobot play``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from pgrobot.commands.parser import Parser
from pgrobot.errors import PgrobotError

DEFAULT_AGENT = "sine"
NEAR = 0.75  # of two words, by difflib's measure
DESCRIPTION = (
    "Watch a run's policy, or a robot before anything is trained: pgrobot play task=hopper agent=sine, with agent="
    "zero, random or sine and any other key=value of pgrobot train. Where there is a display MuJoCo's viewer opens; "
    "elsewhere, and with --film, --compare, --output or several checkpoints, a film is written: "
    "<run>/videos/play_<mode>_<step>.mp4, or videos/<task>_<agent>.mp4. Beside the picture stand speed, the torque of "
    "each joint and each cost against its budget. The policy acts as pgrobot evaluate lets it: in the run's own mode "
    "and seed the first episode of best is the first one that judged the run. The exit status is 1 where nothing can "
    "be drawn."
)


def play(words: list[str]) -> int:
    """``pgrobot play``: a window where there is a display, else a film."""
    parser = Parser(prog="pgrobot play", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("words", nargs="*", metavar="RUN | key=value", help="a run directory, or a task")
    parser.add_argument(
        "--checkpoint",
        default="",
        help="best (the default), last, early, middle, step_<n>, or a path; several, by commas, are a film each",
    )
    parser.add_argument(
        "--compare", default="", metavar="RUN", help="another run, side by side on the same seed"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of the film (default: 10)")
    parser.add_argument(
        "--mode",
        choices=("deterministic", "stochastic"),
        default="",
        help="mean or drawn actions (default: the mode in which the run is judged)",
    )
    parser.add_argument(
        "--seed", type=_seed, default=-1, help="of the episodes (default: that of the evaluations)"
    )
    parser.add_argument("--film", action="store_true", help="film, also where there is a display")
    parser.add_argument("--output", default="", help="the mp4 to write")
    parser.add_argument(
        "--modules", nargs="*", default=[], help="your own modules that the run's config names"
    )
    asked = _parsed(parser, words)
    from pgrobot.film import frame_count
    from pgrobot.film.viewer import has_display

    frame_count(asked.seconds)
    window = has_display(os.environ) and not (
        asked.film or asked.compare or asked.output or "," in asked.checkpoint
    )
    if asked.agent:
        return _task(asked, window)
    if window and _watched_run(asked):
        return 0
    from pgrobot.playing import play as film_run

    for path in film_run(
        asked.run,
        checkpoint=asked.checkpoint,
        compare=asked.compare,
        seconds=asked.seconds,
        mode=asked.mode,
        seed=asked.seed,
        output=asked.output,
        modules=asked.modules,
    ):
        print(path)
    return 0


def _parsed(parser: Parser, words: Sequence[str]) -> argparse.Namespace:
    """The words, with ``run``, or with ``agent`` and ``overrides``."""
    asked = parser.parse_intermixed_args(words)
    if not asked.words and len(asked.modules) > 1:
        *asked.modules, run = asked.modules
        asked.words = [run]
    if not asked.words:
        parser.error("the following arguments are required: a run, or task=…")
    runs = [word for word in asked.words if "=" not in word or Path(word).is_dir()]
    if runs and len(asked.words) > 1:
        parser.error(f"one run, or key=value, not both: {runs[0]!r}")
    asked.agent, asked.run, asked.overrides = "", Path(*runs), []
    if not runs:
        _take_task(parser, asked)
    asked.checkpoint = asked.checkpoint or "best"
    return asked


def _seed(text: str) -> int:
    """A seed; argparse makes a sentence of what is none."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 on, not {text!r}")
    return int(text)


def _take_task(parser: Parser, asked: argparse.Namespace) -> None:
    """Take the words for a task and its agent."""
    for name in ("compare", "modules"):
        if getattr(asked, name):
            parser.error(f"--{name} goes with a run")
    if asked.checkpoint or asked.mode:
        parser.error("an agent has neither checkpoints nor modes: name a run for them")
    named = [word.removeprefix("agent=") for word in asked.words if word.startswith("agent=")]
    asked.agent = [DEFAULT_AGENT, *named][-1]
    asked.overrides = [word for word in asked.words if not word.startswith("agent=")]
    keys = [word.partition("=")[0] for word in asked.overrides]
    for key in get_close_matches("agent", keys, n=1, cutoff=NEAR):  # no config key is
        parser.error(f"there is no key {key!r}: did you mean 'agent'?")
    if not asked.agent:
        raise PgrobotError("agent= names none: zero, random or sine")


def _task(asked: argparse.Namespace, window: bool) -> int:
    from pgrobot.film import mechanics_of
    from pgrobot.film.viewer import watch
    from pgrobot.playing import play_task, task_shot

    if window:
        with task_shot(asked.overrides, asked.agent, asked.seed) as shot:
            mechanics = mechanics_of(shot.environment)
            if mechanics is not None:
                watch(shot, mechanics)
                return 0
    print(play_task(asked.overrides, asked.agent, asked.seconds, asked.seed, asked.output))
    return 0


def _watched_run(asked: argparse.Namespace) -> bool:
    """Show a policy in a window; False where only MuJoCo could and does not simulate it."""
    from pgrobot.film import mechanics_of
    from pgrobot.film.viewer import watch
    from pgrobot.playing import run_shot
    from pgrobot.run.filming import find_policy

    path = find_policy(asked.run, asked.checkpoint)
    with run_shot(asked.run, path, asked.mode, asked.seed, asked.modules) as shot:
        mechanics = mechanics_of(shot.environment)
        if mechanics is None:
            return False
        watch(shot, mechanics)
    return True
