"""``pgrobot train``."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pgrobot.commands.parser import Parser
from pgrobot.errors import PgrobotError, nearest

OPTIONS = (
    "--help",
    "--multirun",
    "--config-dir",
    "--cfg",
    "--package",
    "--resolve",
    "--info",
    "--hydra-help",
)

HELP_CHECK = "_check_help"  # argparse's, from Python 3.14 on
DIRECTORIES = ("resume", "hydra.run.dir", "hydra.sweep.dir", "initialise.run")  # each is one path
MODELS = ("task.xml_file", "task.kwargs.xml_file")  # each is a path, or in a sweep several


def train(words: list[str]) -> int:
    """``pgrobot train``: one run, a sweep (``-m``), or information about the config."""
    from pgrobot.aliases import in_full, with_class
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
            overrides = with_class(in_full(overrides, compose(overrides)))
        _show([*asked.hydra, *overrides])
        return 0
    from rich.console import Console

    from pgrobot.run import (
        FINISHED,
        Surroundings,
        nobody,
        prepare,
        print_evaluation,
        print_next,
        resume_command,
        run,
    )

    console = Console()
    request = prepare(overrides)
    result = run(request, Surroundings(tuple(sys.argv), "", "", 0, console, nobody))
    if result.status != FINISHED:
        with suppress(OSError):  # the terminal may have been closed
            console.print(
                f"Stopped and saved. Go on with: {resume_command(result.path, request.cfg.modules)}",
                soft_wrap=True,
                highlight=False,
            )
        return result.exit_code
    print_evaluation(console, result.evaluation)
    print_next(console, result.path, request.overrides, request.cfg.modules, request.cfg.seed)
    return result.exit_code


@dataclass(frozen=True, slots=True)
class TrainArguments:
    """What ``pgrobot train`` was asked for."""

    overrides: list[str]
    config_dir: list[str]
    hydra: list[str]  # options that Hydra itself answers
    multirun: bool
    help: bool


def _train_arguments(words: Sequence[str]) -> TrainArguments:
    parser = Parser(prog="pgrobot train", add_help=False, allow_abbrev=False)
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
    asked, unknown = parser.parse_known_intermixed_args(words)
    if unknown:
        raise PgrobotError(_about_option(unknown[0], OPTIONS))
    hydra = []
    for name in ("cfg", "package", "info"):
        if getattr(asked, name) is not None:
            hydra += [f"--{name}", getattr(asked, name)]
    for name in ("resolve", "hydra_help", "shell_completion"):
        if getattr(asked, name):
            hydra.append(f"--{name.replace('_', '-')}")
    return TrainArguments(asked.overrides, asked.config_dir, hydra, asked.multirun, asked.help)


def _about_option(word: str, options: Sequence[str]) -> str:
    """Why pgrobot does not know an option, which settings are not."""
    from pgrobot.configure import compose
    from pgrobot.foreign import hint

    name, _, value = word.lstrip("-").partition("=")
    name = name.replace("-", "_")
    ours = hint(name)
    near = nearest(word.partition("=")[0], options)
    if near.startswith("did you mean") and not ours and name.partition(".")[0] not in compose([]):
        return f"There is no option {word}: {near}"
    remedy = f": {ours}" if ours else f", as in {name}={value or '<value>'}"
    return f"There is no option {word}; settings are written key=value{remedy} (see pgrobot train --help)"


def _whole_path(override: str) -> str:
    """Quote what is a path, whatever a comma or ``=`` means in another value; a sweep over models names several."""
    from pgrobot.overrides import parse, quote

    key, _, value = override.partition("=")
    if not value or value[0] in ("'", '"'):
        return override
    if key in DIRECTORIES:
        return f"{key}={quote(os.path.expanduser(value))}"  # noqa: PTH111 - a Path would lose a leading ./
    if key.lstrip("+") in MODELS:
        try:
            parse([override])
        except PgrobotError:
            return f"{key}={','.join(map(quote, value.split(',')))}"
    return override


def _show(arguments: list[str]) -> None:
    """Let Hydra answer: print a config, or tell of itself."""
    import hydra

    from pgrobot.configure import CONFIG_MODULE, CONFIG_NAME, VERSION_BASE
    from pgrobot.sweep import register_resolvers

    register_resolvers()
    main = hydra.main(config_path=f"pkg://{CONFIG_MODULE}", config_name=CONFIG_NAME, **VERSION_BASE)
    before, sys.argv = sys.argv, ["pgrobot train", *arguments]
    try:
        with _help_unread():
            main(lambda _: None)()
    finally:
        sys.argv = before


@contextmanager
def _help_unread() -> Iterator[None]:
    """Let Hydra declare an option whose help is no text, which Python 3.14 and later would read at once."""
    check = getattr(ArgumentParser, HELP_CHECK, None)
    if check is None:
        yield
        return
    setattr(ArgumentParser, HELP_CHECK, lambda *_: None)
    try:
        yield
    finally:
        setattr(ArgumentParser, HELP_CHECK, check)
