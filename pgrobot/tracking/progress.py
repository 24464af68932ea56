"""What a display knows of a run: how far it is, how fast, and its last known metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from pgrobot.health import Finding
from pgrobot.types import Metrics

SPEED_SECONDS = 15.0  # over which the speed is measured


class Thinned:
    """A whole training in at most ``2 * size`` points: when they are full, neighbours merge into their mean."""

    def __init__(self, size: int) -> None:
        self._full = 2 * size
        self._merged = 1  # values in a point
        self._points: list[float] = []
        self._open: list[float] = []  # values of the next point

    def add(self, value: float) -> None:
        self._open.append(value)
        if len(self._open) == self._merged:
            self._points.append(sum(self._open) / len(self._open))
            self._open = []
        if len(self._points) == self._full:
            self._points = [(a + b) / 2 for a, b in zip(self._points[::2], self._points[1::2], strict=True)]
            self._merged *= 2

    @property
    def points(self) -> list[float]:
        """In order of time, evenly spaced."""
        return list(self._points)


class Progress:
    """Gathers metrics for a display. A metric that an iteration lacks keeps its last known value.

    What is known is replaced, never changed in place: a display may read it in another thread, at any moment.

    Args:
        total_steps: environment steps of the whole training.
        clock: seconds, from any origin; ``time.monotonic`` outside of tests.
        learner: begins the names of the metrics that are the shown learner's, with which it is known without.
        findings: what is wrong with the run now, the worst first.
    """

    def __init__(
        self,
        total_steps: int,
        clock: Callable[[], float] = time.monotonic,
        learner: str = "",
        findings: Callable[[], tuple[Finding, ...]] = tuple,
    ) -> None:
        self.total_steps = total_steps
        self._learner = learner
        self._findings = findings
        self.step = 0
        self.returns = Thinned(24)
        self._clock = clock
        self._start = clock()
        self._known: Mapping[str, tuple[float, int]] = {}  # the last value, and the step at which it was told
        self._marks: tuple[tuple[float, int], ...] = ()

    def add(self, step: int, metrics: Metrics) -> None:
        now = self._clock()
        metrics = {name.removeprefix(self._learner): value for name, value in metrics.items()}
        first = next(
            (i for i, (then, _) in enumerate(self._marks[1:]) if then > now - SPEED_SECONDS),
            max(0, len(self._marks) - 1),
        )
        self.step = step
        self._marks = (*self._marks[first:], (now, step))
        self._known = {**self._known, **{name: (value, step) for name, value in metrics.items()}}
        if "return/mean" in metrics:
            self.returns.add(metrics["return/mean"])

    def knows(self, name: str) -> bool:
        """Whether any iteration had this metric."""
        return name in self._known

    def latest(self, name: str) -> float:
        """The last known value."""
        return self._known[name][0]

    def since(self, name: str) -> int:
        """The step of the iteration that knew it, or 0 where that was the last one."""
        step = self._known[name][1]
        return step if step < self.step else 0

    @property
    def costs(self) -> list[str]:
        """Names of the costs that have a budget."""
        return [
            name.split("/")[1]
            for name in self._known
            if name.startswith("cost/") and name.endswith("/budget")
        ]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the run, the worst first."""
        return self._findings()

    @property
    def elapsed(self) -> float:
        """Seconds since the display began."""
        return self._clock() - self._start

    @property
    def speed(self) -> float:
        """Environment steps per second, of late; 0 as long as nobody can tell."""
        if len(self._marks) < 2 or self._marks[-1][0] == self._marks[0][0]:
            return 0.0
        (then, before), (now, after) = self._marks[0], self._marks[-1]
        return (after - before) / (now - then)

    @property
    def remaining(self) -> float:
        """Seconds until the last step, at this speed; infinite as long as nobody can tell."""
        if self.step >= self.total_steps:
            return 0.0
        if self.speed == 0.0:
            return float("inf")
        since = self._clock() - self._marks[-1][0]
        return max(0.0, (self.total_steps - self.step) / self.speed - since)
