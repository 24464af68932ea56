"""Writing files so that a reader finds the old content or the new, never something between."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

from pgrobot.errors import PgrobotError


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``, through a temporary file beside it, so that the rename cannot cross disks.

    The content is on the disk before the name points at it, and the name is on the disk before this returns.

    Raises:
        PgrobotError: The content cannot be written (full disk, no permission, …). ``path`` is as it was.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_directory(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise PgrobotError(why_not_written(error, path, len(content))) from error


def check_room(path: Path, size: int) -> None:
    """Find out before a long work whether its ``size`` bytes can be written to ``path``, which stays as it is.

    Raises:
        PgrobotError: they cannot.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        try:
            temporary.write_bytes(bytes(size))
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise PgrobotError(why_not_written(error, path, size)) from error


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` atomically by ``value`` as indented JSON; raises what `write_atomically` raises."""
    write_atomically(path, (json.dumps(strict(value), indent=2) + "\n").encode())


def make_anew(path: Path) -> Path:
    """Make a directory that nobody else has: ``path``, or the first of ``path-2``, ``path-3``, and so on, that is free.

    Processes that ask for the same path at the same moment get different ones.

    Raises:
        PgrobotError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            found = path if number == 1 else path.with_name(f"{path.name}-{number}")
            with contextlib.suppress(FileExistsError):
                found.mkdir()
                return found
    except OSError as error:
        raise PgrobotError(f"The directory {path} cannot be made: {reason(error)}.") from error
    raise AssertionError("there is always a next number")


def strict(value: Any) -> Any:
    """The same nested value with null for every NaN and infinity: JSON has no word for them, and readers choke."""
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def why_not_written(error: OSError, path: Path, size: int) -> str:
    """One sentence for ``size`` bytes that did not reach ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(path.parent).free
        return (
            f"The disk is full: {path} needs {_megabytes(size)} and {_megabytes(free)} are free; "
            "what was saved before is untouched."
        )
    return f"{path} ({_megabytes(size)}) cannot be written: {reason(error)}."


def reason(error: OSError) -> str:
    """What the operating system said, as the end of a sentence."""
    return (error.strerror or str(error)).lower()


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.3g} MB"


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
