"""Writing a sweep out: the overrides of every job."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pgrobot.errors import PgrobotError
from pgrobot.overrides import parse, text_of


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """Write a sweep out: the overrides of every job, in Hydra's order (the last key varies fastest).

    A range that only a sweeper can search (``interval(0, 1)``) is left to it: the jobs are written without.

    Raises:
        PgrobotError: an override cannot be read, or names a value twice.
    """
    jobs: list[list[str]] = [[]]
    for override in parse(overrides):
        lines = [text_of(override)]
        if override.is_discrete_sweep():
            lines = [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
        elif override.is_sweep_override():
            continue
        if not lines:
            raise PgrobotError(f"{override.input_line} has no values: a sweep needs one at least")
        _check_distinct(lines)
        jobs = [[*job, line] for job in jobs for line in lines]
    return jobs


def _check_distinct(lines: Sequence[str]) -> None:
    """Refuse one value twice, however it is written: both jobs would be the same."""
    seen: dict[Any, str] = {}
    for line in lines:
        value = line.partition("=")[2]
        with suppress(ValueError):
            value = repr(float(value))
        if value in seen:
            raise PgrobotError(f"{line} would run twice: name each value of a sweep once")
        seen[value] = line
