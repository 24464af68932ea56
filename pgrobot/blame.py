"""Whose code raised: the user's is named in one sentence, with file and line; anything else keeps its traceback."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pgrobot.errors import FailureError, PgrobotError, in_a_sentence


@contextmanager
def blaming(modules: Sequence[str]) -> Iterator[None]:
    """Answer for what ``modules``, the user's own, raise inside: the exception becomes the cause of a sentence.

    Raises:
        FailureError: an exception came out of one of them, or through one; names the place in it.
    """
    try:
        yield
    except PgrobotError:
        raise
    except Exception as error:
        place = place_in(error, modules)
        if not place:
            raise
        notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
        raise FailureError(f"{place} raised {in_a_sentence(error)}{notes}") from error


def place_in(error: BaseException, modules: Sequence[str]) -> str:
    """The innermost line of ``modules`` that an exception came from or through, ``file:line``; empty if of none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    places = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if _belongs(frame.f_globals.get("__name__", ""), modules)
        and not frame.f_code.co_filename.startswith("<")  # code that a decorator made, such as a dataclass's
    ]
    return places[-1] if places else ""


def _belongs(module: str, roots: Sequence[str]) -> bool:
    return any(f"{module}.".startswith(f"{root}.") for root in roots)
