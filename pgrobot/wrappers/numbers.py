"""Random numbers for every step of every environment, drawn many at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

MOST = 2**18  # numbers that are drawn ahead, all together
Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


class Numbers:
    """Rows of random numbers, of each environment from its own stream.

    To draw many rows at once gives the same numbers as to draw them one by one, and is many times as fast. An
    environment's rows depend on nothing but its stream and how many it took.

    Args:
        randoms: a stream for each of ``N`` environments, which nobody else draws from.
        width: of a row, D.
        draw: rows of a stream, number after number.
    """

    def __init__(self, randoms: Sequence[np.random.Generator], width: int, draw: Draw) -> None:
        self._randoms, self._draw = randoms, draw
        self._ahead = max(1, min(64, MOST // max(1, len(randoms) * width)))
        self._rows = np.empty((len(randoms), self._ahead, width))
        self._taken = np.full(len(randoms), self._ahead)  # of these, by environment
        self._before: list[Any] = [None] * len(randoms)  # the states of the streams before they were drawn

    def __call__(self, ids: np.ndarray) -> np.ndarray:
        """The next row of environments ``ids`` (no one twice), ``[n, D]``."""
        at = self._taken[ids]
        for i in ids[at == self._ahead].tolist():
            self._before[i] = self._randoms[i].bit_generator.state
            self._rows[i] = self._draw(self._randoms[i], self._rows[i].shape)
            self._taken[i] = 0
        at = self._taken[ids]
        self._taken[ids] = at + 1
        return self._rows[ids, at]

    def settle(self) -> None:
        """Leave the streams as if rows were drawn one by one, to be saved: those ahead will be drawn again."""
        for i in np.flatnonzero(self._taken < self._ahead).tolist():
            self._randoms[i].bit_generator.state = self._before[i]
            self._draw(self._randoms[i], (int(self._taken[i]), self._rows.shape[2]))
        self.forget()

    def forget(self) -> None:
        """Draw anew from here on, from streams that somebody has put elsewhere."""
        self._taken[:] = self._ahead
