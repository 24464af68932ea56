"""metrics.jsonl, the truth about a run: one object per iteration. Every other tracker mirrors it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
from pathlib import Path

from pgrobot.errors import OccupiedError, PgrobotError
from pgrobot.files import reason, strict, why_not_written
from pgrobot.types import Metrics

log = logging.getLogger(__name__)


class MetricsFile:
    """Appends one line per `write`, on the disk's side of the process when `write` returns, so a kill loses none.

    The open file is also the lock of its run directory: the kernel lets go of it when the process ends, however it
    ends. A line cut short by a kill is removed when the file is opened again. While the disk is full, training goes
    on and the lines wait in memory, to be written in order as soon as there is room.

    Raises:
        OccupiedError: Another run holds the file.
        PgrobotError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[bytes] = []
        self._descriptor = _locked(path)
        self._size = _whole_lines(path)
        os.ftruncate(self._descriptor, self._size)

    def write(self, step: int, metrics: Metrics) -> None:
        row = strict({"global_step": step, **metrics})
        self._waiting.append((json.dumps(row) + "\n").encode())
        try:
            while self._waiting:
                self._append(self._waiting[0])
                self._waiting.pop(0)
        except OSError as error:
            if len(self._waiting) == 1:
                size = sum(map(len, self._waiting))
                log.warning(
                    "%s Training goes on, and the metrics wait for room.",
                    why_not_written(error, self._path, size),
                )

    def rewind(self, step: int) -> None:
        """Forget what came after ``step`` environment steps: the run goes on from there.

        Raises:
            PgrobotError: A line is not one that `write` wrote.
        """
        size = 0
        for number, line in enumerate(self._path.read_bytes().splitlines(keepends=True), start=1):
            try:
                later = json.loads(line)["global_step"] > step
            except (ValueError, KeyError, TypeError) as error:
                raise PgrobotError(f"Line {number} of {self._path} is not a line of metrics.") from error
            if later:
                break
            size += len(line)
        os.ftruncate(self._descriptor, size)
        self._size = size

    def close(self) -> None:
        """Let go of the file and, with it, of the run directory."""
        if self._waiting:
            log.warning(
                "%s lacks its last %d lines: there was no room for them.", self._path, len(self._waiting)
            )
        os.close(self._descriptor)

    def _append(self, line: bytes) -> None:
        written = 0
        try:
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(line)


def _locked(path: Path) -> int:
    """Open for appending and lock: the descriptor."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise PgrobotError(f"{path} cannot be written: {reason(error)}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise OccupiedError(
                f"Another run is using the directory {path.parent}: wait for it to end, or choose another directory."
            ) from error
        raise PgrobotError(f"{path} cannot be locked: {reason(error)}.") from error
    return descriptor


def _whole_lines(path: Path) -> int:
    """The size in bytes without a last line cut short."""
    return path.read_bytes().rfind(b"\n") + 1
