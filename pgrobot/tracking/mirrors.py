"""Mirrors of the metrics: what one is, and how none can stop or slow the training it shows."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pgrobot.health import Finding
from pgrobot.pictures import Picture
from pgrobot.types import Metrics, Tracker

log = logging.getLogger(__name__)

PATIENCE = 30.0  # seconds that a mirror may take, after training, to finish what it has begun


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a mirror is told of the run."""

    directory: Path  # the mirror's own files go into a folder of its name in here
    id: str  # the same after a resume
    name: str  # short, for people
    group: str  # the sweep it belongs to, else empty
    tags: tuple[str, ...]
    config: Mapping[str, Any]  # resolved
    ending: Callable[
        [], str
    ]  # how the run ended, asked when it has: finished, stopped to be resumed, or failed
    findings: Callable[[], tuple[Finding, ...]]  # what is wrong with it now, the worst first


class Mirror(Protocol):
    """The settings of a mirror: a node of ``conf/tracker/``. Bad settings raise when it is constructed."""

    def open(self, run: RunInfo) -> Tracker:
        """Connect. This may take long or fail."""
        ...


def open_mirrors(mirrors: Mapping[str, Mirror], run: RunInfo) -> tuple[Tracker, ...]:
    """All mirrors by name, each in a thread of its own and guarded."""
    return tuple(Guarded(name, Background(partial(m.open, run), PATIENCE)) for name, m in mirrors.items())


class Guarded:
    """A tracker whose failure is told once, and costs the tracker, never the run."""

    def __init__(self, name: str, tracker: Tracker) -> None:
        self._name = name
        self._tracker = tracker
        self._works = True

    def write(self, step: int, metrics: Metrics) -> None:
        self._attempt(lambda: self._tracker.write(step, metrics))

    def show(self, step: int, name: str, picture: Picture) -> None:
        self._attempt(lambda: self._tracker.show(step, name, picture))

    def close(self) -> None:
        self._attempt(self._tracker.close)

    def _attempt(self, action: Callable[[], None]) -> None:
        if not self._works:
            return
        try:
            action()
        except Exception as error:  # noqa: BLE001 - whatever it is, training is worth more
            self._works = False
            log.warning(
                "The tracker %s failed and is off from here on; training goes on, metrics.jsonl has it all (%s: %s).",
                self._name,
                type(error).__name__,
                error,
            )


class Background:
    """A tracker in a thread of its own, opened by the first call: no import and no slow network delays training.

    Its errors are raised by the next call; an end that takes longer than ``patience`` seconds is a `TimeoutError`.
    """

    def __init__(self, open_tracker: Callable[[], Tracker], patience: float) -> None:
        self._open = open_tracker
        self._patience = patience
        # None: there are no more
        self._calls: queue.SimpleQueue[Callable[[Tracker], None] | None] = queue.SimpleQueue()
        self._errors: list[Exception] = []
        self._thread = threading.Thread(target=self._work, name="tracker", daemon=True)

    def write(self, step: int, metrics: Metrics) -> None:
        row = dict(metrics)
        self._call(lambda tracker: tracker.write(step, row))

    def show(self, step: int, name: str, picture: Picture) -> None:
        self._call(lambda tracker: tracker.show(step, name, picture))

    def close(self) -> None:
        if self._thread.ident:
            self._calls.put(None)
            self._thread.join(self._patience)
            if self._thread.is_alive():
                raise TimeoutError(f"it did not finish within {self._patience:g} s")
        self._raise_errors()

    def _call(self, call: Callable[[Tracker], None]) -> None:
        self._raise_errors()
        if not self._thread.ident:
            self._thread.start()
        self._calls.put(call)

    def _work(self) -> None:
        try:
            tracker = self._open()
            try:
                for call in iter(self._calls.get, None):
                    call(tracker)
            finally:
                tracker.close()
        except Exception as error:  # noqa: BLE001 - raised again in the thread that trains
            self._errors.append(error)

    def _raise_errors(self) -> None:
        if self._errors:
            raise self._errors[0]
