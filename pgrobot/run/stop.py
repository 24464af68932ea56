"""Being asked to stop: the first Ctrl-C or SIGTERM finishes the iteration and saves, the second ends at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, ClassVar, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Listens for ``signals`` while it is entered; in another thread than the main one it hears none."""

    def __init__(self, signals: Sequence[signal.Signals] = SIGNALS) -> None:
        self._signals = signals
        self._heard = 0
        self._before: dict[signal.Signals, Any] = {}

    @property
    def signal(self) -> int:
        """The number of the signal that asked to stop, 0 as long as none did."""
        return self._heard

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that ended by this signal: 130 or 143."""
        return 128 + self.signal

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in self._signals}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._heard = number
        for again in self._signals:
            signal.signal(again, signal.default_int_handler)
        print("\nStopping after this iteration; once more ends at once.", file=sys.stderr, flush=True)


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
