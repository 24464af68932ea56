"""Printing nothing: what pgrobot logs and Python warns of goes into the run's log alone."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def silence() -> Iterator[None]:
    """Keep what pgrobot logs from the handlers of the application, and hand it what Python warns of."""
    logger, unheard = logging.getLogger("pgrobot"), logging.NullHandler()
    before = logger.propagate
    logger.addHandler(unheard)  # with no handler at all Python would print
    logger.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _log
            yield
    finally:
        logger.propagate = before
        logger.removeHandler(unheard)


def _log(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001 - what Python calls has these parameters
    line: str | None = None,
) -> None:
    told = warnings.formatwarning(message, category, filename, lineno, line)
    logging.getLogger("pgrobot.warnings").warning("%s", told.strip())
