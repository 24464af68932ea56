"""What is drawn: from Gaussian numbers, which may be correlated, to numbers of each entry's distribution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from pgrobot.simulation.variation.entry import GAUSSIAN, LOG_UNIFORM, Entry


class Draws:
    """``K`` draws of several entries, each entry's side by side.

    Behind every draw is a standard Gaussian number ``z``. One that follows another has ``ρ z' + √(1 − ρ²) z`` in its
    place, which is a standard Gaussian again (a Gaussian copula): correlation does not change how a draw by itself is
    distributed. The number is then mapped by the inverse of the distribution function at ``Φ(z)``.

    Args:
        entries: in their order, with the number of draws that each takes.
        names: of the entries.
    """

    def __init__(self, entries: Sequence[tuple[Entry, int]], names: Sequence[str]) -> None:
        counts = [count for _, count in entries]
        ends = np.cumsum(counts)
        self.slices = [slice(int(end) - count, int(end)) for end, count in zip(ends, counts, strict=True)]
        self.entry = np.repeat(np.arange(len(counts)), counts)  # of each draw  [K]
        self._low = np.repeat([entry.low for entry, _ in entries], counts)
        self._high = np.repeat([entry.high for entry, _ in entries], counts)
        self._deviation = np.repeat([entry.deviation for entry, _ in entries], counts)
        kinds = np.repeat([entry.distribution for entry, _ in entries], counts)
        self._gaussian, self._logarithmic = kinds == GAUSSIAN, kinds == LOG_UNIFORM
        self._width = self._high - self._low
        self._gaussian, self._logarithmic = map(np.flatnonzero, (self._gaussian, self._logarithmic))
        low, high = self._low[self._logarithmic], self._high[self._logarithmic]
        self._log_low, self._log_width = np.log(low), np.log(high / low)
        at = self._gaussian
        self._middle = (self._low[at] + self._high[at]) / 2.0
        leaders = np.arange(len(self.entry))
        self._own, self._led = np.ones(len(self.entry)), np.zeros(len(self.entry))
        for (entry, count), own in zip(entries, self.slices, strict=True):
            if entry.follows:
                leader = self.slices[list(names).index(entry.follows)]
                each = leader.stop - leader.start == count
                leaders[own] = np.arange(leader.start, leader.stop) if each else leader.start
                self._led[own] = entry.correlation
                self._own[own] = np.sqrt(1.0 - entry.correlation**2)
        self._leaders = leaders
        self._correlated = bool(self._led.any())

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """The draws ``[n, K]`` of standard Gaussian numbers ``[n, K]``."""
        if self._correlated:
            z = self._led * z[:, self._leaders] + self._own * z
        share = ndtr(z)
        found = self._low + share * self._width
        if len(at := self._logarithmic):
            found[:, at] = np.exp(self._log_low + share[:, at] * self._log_width)
        if len(at := self._gaussian):
            found[:, at] = self._middle + self._deviation[at] * z[:, at]
        bounded: np.ndarray = np.minimum(np.maximum(found, self._low), self._high)
        return bounded
