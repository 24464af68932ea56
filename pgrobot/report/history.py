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
        told: by name, how many iterations told anything of it.
        odd: by name, how many told what is no finite number; only of metrics of which some did.
    """

    steps: np.ndarray
    columns: Mapping[str, np.ndarray]
    told: Mapping[str, int]
    odd: Mapping[str, int]

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
        start = f"{learner}/"
        names = {name.removeprefix(start): name for name in self.told if name.startswith(start)}
        names = {name: name for name in self.told if name.startswith("evaluation/")} | names
        return History(
            self.steps,
            {name: self.columns[full] for name, full in names.items() if full in self.columns},
            {name: self.told[full] for name, full in names.items()},
            {name: self.odd[full] for name, full in names.items() if full in self.odd},
        )

    @property
    def learners(self) -> tuple[str, ...]:
        """By name; one of no name where there is one, or none has learnt yet."""
        ends = ("policy/kl", "policy/entropy", "loss/policy")
        found = {name.removesuffix(end): 0 for end in ends for name in self.columns if name.endswith(end)}
        return tuple(sorted(prefix.removesuffix("/") for prefix in found)) or ("",)


def as_history(lines: Iterable[Row | None]) -> tuple[History, tuple[str, ...]]:
    """The lines of ``metrics.jsonl`` as columns, and what could not be read, in a sentence each.

    A last line cut short, as a killed run leaves it, costs that line; so does one in the midst that is damaged. What
    is no finite number is not known: ``null`` is one that was none when it was written.
    """
    told = list(lines)
    damaged = [number for number, line in enumerate(told, start=1) if line is None]
    history = _columns([line for line in told if line is not None])
    return history, (*_about(damaged, len(told)), *_about_odd(history))


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


def _about_odd(history: History) -> Iterable[str]:
    if history.odd:
        worst, *others = sorted(history.odd, key=lambda name: -history.odd[name])
        more = f", as are values of {len(others)} more metrics" if others else ""
        yield (
            f"{history.odd[worst]} of {history.told[worst]} values of {worst} are not finite numbers{more}: they "
            "are left out of every drawing."
        )


def _columns(rows: Sequence[Row]) -> History:
    columns: dict[str, np.ndarray] = {}
    told: dict[str, int] = {}
    odd: dict[str, int] = {}
    for index, (_, row) in enumerate(rows):
        for name, value in row.items():
            told[name] = told.get(name, 0) + 1
            number = _finite(value)
            if math.isnan(number):
                odd[name] = odd.get(name, 0) + 1
            else:
                columns.setdefault(name, np.full(len(rows), np.nan))[index] = number
    columns.pop("global_step", None)
    return History(np.array([step for step, _ in rows], dtype=np.float64), columns, told, odd)


def _finite(value: object) -> float:
    """A figure of the file; NaN for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value) if math.isfinite(value) else math.nan
    except OverflowError:  # a whole number of hundreds of digits
        return math.nan
