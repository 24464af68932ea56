"""Errors that are part of the interface: one sentence that says what is wrong, where, and the nearest valid choice."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import ClassVar

_MOST_LISTED = 40


class PgrobotError(ValueError):
    """Bad input of any kind. The message is one sentence for the user; the command line prints it.

    Attributes:
        exit_code: what the command line ends with.
    """

    exit_code: ClassVar[int] = 2


class OccupiedError(PgrobotError):
    """A directory that another run holds, and that is left as it is."""


class FailureError(PgrobotError):
    """Something that had begun, on input that was good, and failed."""

    exit_code: ClassVar[int] = 1


def in_a_sentence(error: BaseException) -> str:
    """An error on one line, with its type unless it is a sentence already."""
    words = " ".join(str(error).split())
    return words if isinstance(error, PgrobotError) else f"{type(error).__name__}: {words}"


def shown(value: object) -> str:
    """A value as it reads in a sentence: short, on one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def nearest_divisor(whole: int, wanted: int) -> int:
    """The divisor of ``whole`` that is nearest to ``wanted``, for the end of a sentence."""
    return min((d for d in range(1, whole + 1) if whole % d == 0), key=lambda d: abs(d - wanted))


def nearest(word: str, choices: Iterable[str]) -> str:
    """Say which valid names lie nearest to ``word``.

    Returns:
        ``"did you mean 'speed'?"`` when a near name exists, else ``"valid: a, b, c"``; a phrase to end a sentence with.
    """
    choices = sorted(choices, key=_by_number)
    close = difflib.get_close_matches(word, choices, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    more = f" and {len(choices) - _MOST_LISTED} more" if len(choices) > _MOST_LISTED else ""
    return "valid: " + ", ".join(choices[:_MOST_LISTED]) + more if choices else "there is none"


def _by_number(word: str) -> tuple[list[str | int], str]:
    """A key that sorts ``step_512`` before ``step_1024``."""
    parts = re.split("([0-9]+)", word)  # numbers at the odd places
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], word
