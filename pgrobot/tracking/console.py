"""The progress of a run on the user's screen: alive in a terminal, a line now and then in a log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from rich.console import Console, RenderableType
from rich.live import Live

from pgrobot.pictures import Picture
from pgrobot.tracking.mirrors import Guarded
from pgrobot.tracking.panel import line, panel
from pgrobot.tracking.progress import Progress
from pgrobot.types import Metrics, Tracker

LINE_SECONDS = 10.0
REFRESHES_PER_SECOND = 2


def open_console(title: str, where: str, progress: Progress, console: Console) -> Tracker:
    """A `LiveDisplay` where the console is a terminal that can show it, else a `PlainDisplay`; guarded."""
    if _alive(console):
        return Guarded("console", LiveDisplay(title, where, progress, console))
    return Guarded("console", PlainDisplay(progress, console.file))


class LiveDisplay:
    """A display that redraws itself in place; what others print or log meanwhile appears above it.

    Args:
        title: what trains, for people.
        where: the run directory.
        progress: gathers what is shown.
        console: a terminal.
    """

    def __init__(self, title: str, where: str, progress: Progress, console: Console) -> None:
        self._title = title
        self._where = where
        self._progress = progress
        handlers = _screen_handlers()
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=REFRESHES_PER_SECOND,
            redirect_stdout=True,
        )
        self._live.start()
        # Handlers hold the stream they began with; during the display they have to print through it.
        self._handlers = [(handler, handler.setStream(sys.stderr)) for handler in handlers]

    def write(self, step: int, metrics: Metrics) -> None:
        self._progress.add(step, metrics)

    def show(self, step: int, name: str, picture: Picture) -> None:
        """A terminal has no room for pictures."""

    def close(self) -> None:
        """Leave the last state on the screen, and the terminal as it was."""
        for handler, stream in self._handlers:
            handler.setStream(stream)
        self._handlers = []
        self._live.stop()

    def _render(self) -> RenderableType:
        return panel(self._title, self._where, self._progress)


class PlainDisplay:
    """A line after the first iteration, after the last, every ten seconds between, and for every finding."""

    def __init__(self, progress: Progress, file: IO[str]) -> None:
        self._progress = progress
        self._file = file  # written directly: rich would end the program when a pipe closes
        self._printed_at = -LINE_SECONDS
        self._printed_step = 0
        self._told: set[tuple[str, str, str]] = set()

    def write(self, step: int, metrics: Metrics) -> None:
        self._progress.add(step, metrics)
        for finding in self._progress.findings:
            if finding.key not in self._told:
                self._told.add(finding.key)
                print(f"{finding.severity}: {finding.sentence} {finding.remedy}", file=self._file, flush=True)
        if self._progress.elapsed - self._printed_at >= LINE_SECONDS:
            self._print()

    def show(self, step: int, name: str, picture: Picture) -> None:
        """A line of text has no room for pictures."""

    def close(self) -> None:
        if self._progress.step > self._printed_step:
            self._print()

    def _print(self) -> None:
        print(line(self._progress), file=self._file, flush=True)
        self._printed_at, self._printed_step = self._progress.elapsed, self._progress.step


@contextmanager
def working(console: Console, words: str) -> Iterator[None]:
    """Say what is being done, for as long as it takes: in a terminal with a sign of life, in a log by a line."""
    if _alive(console):
        with console.status(words):
            yield
        return
    with suppress(OSError):  # whoever read it may have gone
        print(f"{words} ...", file=console.file, flush=True)
    yield


def _alive(console: Console) -> bool:
    """Whether a console is a terminal that can be redrawn."""
    return console.is_terminal and not console.is_dumb_terminal and console.encoding.startswith("utf")


def _screen_handlers() -> list[logging.StreamHandler]:
    handlers = [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler)]
    return [handler for handler in handlers if handler.stream in (sys.stdout, sys.stderr)]
