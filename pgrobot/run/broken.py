"""Simulations that broke: told, and a run that consists of nothing else given up."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pgrobot.errors import FailureError

MOST_TOLD = 20  # broken simulations that are told one by one; then whenever their number has doubled
MOST_IN_A_ROW = 20

_logger = logging.getLogger(__name__)


class BrokenEpisodes:
    """Logs broken simulations, each of which cut an episode, and refuses a run in which no episode ends otherwise."""

    def __init__(self) -> None:
        self._broken = 0
        self._tell_at = MOST_TOLD
        self._ended = 0
        self._in_a_row = 0
        self._last = ""

    def look(self, ended: int, sentences: Sequence[str]) -> None:
        """Take note of an iteration in which ``ended`` episodes ended, those of ``sentences`` because they broke.

        Raises:
            FailureError: every episode that ended in the last ``MOST_IN_A_ROW`` iterations in which any did broke.
        """
        for sentence in sentences:
            self._tell(sentence)
        self._ended += ended
        if ended:
            self._in_a_row = self._in_a_row + 1 if len(sentences) == ended else 0
        if self._in_a_row >= MOST_IN_A_ROW:
            raise self._failure(f"Every episode that ended in {MOST_IN_A_ROW} iterations in a row")

    def conclude(self) -> None:
        """Refuse to call a run finished whose every episode broke.

        Raises:
            FailureError: at least one episode ended, and none in another way.
        """
        if self._ended and self._broken == self._ended:
            raise self._failure("Every episode that ended")

    def _failure(self, which: str) -> FailureError:
        return FailureError(f"{which} was cut short by a simulation that broke, the last: {self._last}")

    def _tell(self, sentence: str) -> None:
        """Log a broken simulation, unless so many are that nobody would read it."""
        self._broken += 1
        self._last = sentence
        if self._broken <= MOST_TOLD:
            _logger.warning("%s", sentence)
        elif self._broken == 2 * self._tell_at:
            self._tell_at = self._broken
            _logger.warning("%d simulations broke so far, the last: %s", self._broken, sentence)
