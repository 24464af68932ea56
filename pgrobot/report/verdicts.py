"""What came of the run, before anything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pgrobot.constraints import UNITS
from pgrobot.figures import Interval, intervals
from pgrobot.numerals import numeral
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
            verdict=cost.get("verdict", "undecided"),
            mark=MARKS.get(cost.get("verdict", ""), "?"),
            mean=numeral(number(cost.get("mean"))),
            lower=numeral(number(cost.get("lower"))),
            upper=numeral(number(cost.get("upper"))),
            budget=numeral(number(cost.get("budget"))),
            unit=UNITS.get(cost.get("unit", ""), ""),
        )
        for name, cost in _costs(story).items()
    )


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
