"""What came of the run, before anything else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pgrobot.constraints import UNITS
from pgrobot.figures import Interval, intervals
from pgrobot.numerals import between, numeral
from pgrobot.report.drawing import Drawing
from pgrobot.report.reading import Story, number

MARKS = {"satisfied": "✓", "violated": "✗", "undecided": "?"}
MEANINGS = {
    "satisfied": "the bound is within the budget",
    "violated": "the cost is above the budget with confidence",
    "undecided": "these episodes cannot tell",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One budget: a row of the table, in words."""

    name: str
    verdict: str
    mark: str
    mean: str
    lower: str
    upper: str
    budget: str
    unit: str


def judged(story: Story) -> tuple[Judged, ...]:
    """A row for every budget."""
    return tuple(
        Judged(
            name=name,
            verdict=str(cost.get("verdict", "undecided")),
            mark=MARKS.get(str(cost.get("verdict")), "?"),
            mean=numeral(number(cost.get("mean"))),
            lower=ends[0],
            upper=ends[1],
            budget=numeral(number(cost.get("budget"))),
            unit=UNITS.get(str(cost.get("unit")), ""),
        )
        for name, cost in _costs(story).items()
        for ends in [between(number(cost.get("lower")), number(cost.get("upper")))]
    )


def interval(story: Story) -> tuple[str, str]:
    """The 95 % interval of the return, in figures that differ."""
    told = story.result.get("return")
    ends = told.get("ci95") if isinstance(told, dict) else None
    low, high = map(number, ends) if isinstance(ends, list) and len(ends) == 2 else (math.nan, math.nan)
    return between(low, high)


def spent(story: Story) -> Iterator[Drawing]:
    """What every cost spends of its budget, with its bounds."""
    rows = []
    for name, cost in _costs(story).items():
        budget = number(cost.get("budget"))
        if budget > 0.0:
            low, mean, high = (number(cost.get(key)) / budget for key in ("lower", "mean", "upper"))
            rows.append(Interval(name, low, mean, high))
    if not rows:
        return
    words = "; ".join(
        f"{r.label} {numeral(r.mean)}, from {numeral(r.low)} to {numeral(r.high)}" for r in rows
    )
    yield Drawing(
        "budgets_spent",
        intervals(rows, 1.0, "times its budget", "What is spent of each budget"),
        "Mean and bounds of the final evaluation; shaded: above the budget.",
        f"Times its budget: {words}.",
        wide=True,
        drawn=True,
    )


def _costs(story: Story) -> Mapping[str, Mapping[str, Any]]:
    costs: Mapping[str, Mapping[str, Any]] = story.result.get("costs", {})
    return costs
