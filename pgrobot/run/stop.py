"""Being asked to stop: the first signal finishes the iteration and saves, the second ends at once.

Ctrl-C, SIGTERM and SIGHUP, which a terminal that closes sends, all ask for it.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, ClassVar, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_logger = logging.getLogger(__name__)


class AskedToStop(Exception):  # noqa: N818 - nothing is wrong
    """Ends what has nothing to save of its own."""


class StopRequest:
    """Listens for ``signals`` while it is entered; in another thread than the main one it hears none."""

    def __init__(self, signals: Sequence[signal.Signals] = SIGNALS) -> None:
        self._signals = signals
        self._heard = 0
        self._told = False
        self._at_once = False
        self._before: dict[signal.Signals, Any] = {}

    @property
    def signal(self) -> int:
        """The number of the signal that asked to stop, 0 as long as none did."""
        return self._heard

    @property
    def asked(self) -> bool:
        """Whether a signal or the program itself asked to stop."""
        return self._told or self.signal > 0

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that ended by this signal: 130, 143 or 129; without one 0."""
        return 128 + self.signal if self.signal else 0

    @property
    def by(self) -> str:
        """Who asked to stop: the name of a signal, or ``callback``; empty as long as nobody did."""
        return signal.Signals(self.signal).name if self.signal else "callback" if self._told else ""

    def ask(self) -> None:
        """Ask to stop without a signal."""
        self._told = True

    def check(self, *_: object) -> None:
        """Do nothing, or raise `AskedToStop`; whatever calls it may hand over what it likes."""
        if self.asked:
            raise AskedToStop

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """While it is entered everything is saved: a signal raises KeyboardInterrupt wherever it meets the program."""
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in self._signals if not _detached(number)]
            self._before = {number: signal.signal(number, self._hear) for number in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._heard = number
        for again in self._before:
            signal.signal(again, signal.default_int_handler)
        if self._at_once:
            raise KeyboardInterrupt
        _logger.warning("Stopping as soon as everything is saved; once more ends at once.")


def _detached(number: signal.Signals) -> bool:
    """Whether a closing terminal shall not matter: ``nohup`` has SIGHUP ignored."""
    return number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


class SharedStop(StopRequest):
    """One request for all jobs of a sweep, in whatever processes: who hears a signal writes it to ``file``.

    Where the file cannot be written, on a full disk for instance, the process that has heard stops its own next jobs.
    """

    _untold: ClassVar[dict[Path, int]] = {}

    def __init__(self, file: Path, signals: Sequence[signal.Signals]) -> None:
        super().__init__(signals)
        self._file = file

    @property
    def signal(self) -> int:
        if not self._heard:
            with suppress(OSError, ValueError):
                self._heard = self._untold.get(self._file) or int(self._file.read_text())
        return self._heard

    def forget(self) -> None:
        """Take the request back, that of an earlier attempt for instance."""
        self._untold.pop(self._file, None)
        self._file.unlink(missing_ok=True)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        try:
            self._file.write_text(str(number))
        except OSError:
            self._untold[self._file] = number
        super()._hear(number, frame)
