"""The metrics of a run as columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pgrobot.health import Row


@dataclass(frozen=True, slots=True)
class History:
    """Metrics by name over ``T`` iterations.

    Attributes:
        steps: environment steps after each, ``[T]``.
        columns: ``[T]`` by name, NaN where an iteration did not tell.
    """

    steps: np.ndarray
    columns: Mapping[str, np.ndarray]

    def known(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values of a metric where it is finite."""
        values = self.columns.get(name, np.full(len(self.steps), np.nan))
        finite = np.isfinite(values)
        return self.steps[finite], values[finite]

    def last(self, name: str) -> float:
        """The last finite value of a metric; NaN where there is none."""
        _, values = self.known(name)
        return float(values[-1]) if len(values) else math.nan

    def tells(self, name: str) -> bool:
        """Whether a metric has a finite value anywhere."""
        return name in self.columns and bool(np.isfinite(self.columns[name]).any())

    def between(self, start: str, end: str) -> tuple[str, ...]:
        """What stands between two ends of a metric's name, wherever it does, in the order in which they came."""
        length = len(start) + len(end)
        return tuple(
            name[len(start) : len(name) - len(end)]
            for name in self.columns
            if len(name) > length and name.startswith(start) and name.endswith(end)
        )

    def of(self, learner: str) -> History:
        """What a learner of several reports, under the names that a single one gives it; and evaluations."""
        own = {
            n.removeprefix(f"{learner}/"): v for n, v in self.columns.items() if n.startswith(f"{learner}/")
        }
        shared = {n: v for n, v in self.columns.items() if n.startswith("evaluation/")}
        return History(self.steps, shared | own)

    @property
    def learners(self) -> tuple[str, ...]:
        """By name; one of no name where there is one, or none has learnt yet."""
        ends = ("policy/kl", "policy/entropy", "loss/policy")
        found = {name.removesuffix(end): 0 for end in ends for name in self.columns if name.endswith(end)}
        return tuple(sorted(prefix.removesuffix("/") for prefix in found)) or ("",)


def as_history(lines: Iterable[Row | None]) -> tuple[History, tuple[str, ...]]:
    """The lines of ``metrics.jsonl`` as columns, and what could not be read, in a sentence each.

    A last line cut short, as a killed run leaves it, costs that line; so does one in the midst that is damaged. What
    is no number is not known.
    """
    told = list(lines)
    damaged = [number for number, line in enumerate(told, start=1) if line is None]
    return _columns([line for line in told if line is not None]), tuple(_about(damaged, len(told)))


def _about(damaged: Sequence[int], count: int) -> Iterable[str]:
    if damaged and damaged[-1] == count:
        yield "The last line of metrics.jsonl is cut short and left out, as of a run that was killed or still writes."
        damaged = damaged[:-1]
    if damaged:
        which = (
            f"Line {damaged[0]}"
            if len(damaged) == 1
            else f"{len(damaged)} lines, the first of them {damaged[0]},"
        )
        yield f"{which} of metrics.jsonl cannot be read, and the curves go on without."


def _columns(rows: Sequence[Row]) -> History:
    columns: dict[str, np.ndarray] = {}
    for index, (_, row) in enumerate(rows):
        for name, value in row.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                if name not in columns:
                    columns[name] = np.full(len(rows), np.nan)
                columns[name][index] = value
    columns.pop("global_step", None)
    return History(np.array([step for step, _ in rows], dtype=np.float64), columns)
