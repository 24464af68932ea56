"""A run and its checkpoint, as whoever calls from Python or the command line names them."""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import Path
from typing import Any

from pgrobot.errors import PgrobotError, shown
from pgrobot.run_directory import check_run, find_checkpoint


def directory_of(run: Any) -> Path:
    """The directory of a run: as it is named, or that of what ``train`` returned.

    Raises:
        PgrobotError: it is something else.
    """
    return path_of("run", getattr(run, "path", run), "a run directory, or what train returned")


def path_of(word: str, path: Any, wanted: str) -> Path:
    """A path that a caller gave.

    Args:
        word: what the caller calls it.
        path: what was given.
        wanted: what it has to be, for the sentence.

    Raises:
        PgrobotError: it is no path.
    """
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str) or not str(path):
        raise PgrobotError(f"{word} has to be {wanted}, not {shown(path)}")
    return Path(path)


def checkpoint_of(run: Path, checkpoint: Any) -> Path:
    """The checkpoint of a run: ``best``, ``last``, ``step_<n>`` or ``<n>``, or a path that ends with ``.pt``.

    A path is looked up in the run first, as ``result.json`` writes it, and then as it is.

    Raises:
        PgrobotError: there is no such run, it has no such checkpoint, or it is not named so.
    """
    whole = isinstance(checkpoint, Integral) and not isinstance(checkpoint, bool)
    if not whole and not isinstance(checkpoint, (str, Path)):
        raise PgrobotError(f"checkpoint has to be best, last, a step or a path, not {shown(checkpoint)}")
    name = str(checkpoint)
    if name.endswith(".pt"):
        check_run(run)
        return run / name if (run / name).is_file() else Path(name)
    return find_checkpoint(run, f"step_{name}" if name.isdecimal() else name)
