"""What somebody who is away should be told at once, from what the metrics and the result say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pgrobot.health import Finding
from pgrobot.types import Metrics

BUDGET = re.compile(r"((?:\w+/)?cost/(\w+))/budget")  # with several learners, each one's begin with its name
SKIPPED = "guard/skipped_updates"
Level = Literal["WARN", "ERROR"]
LEVELS: Mapping[str, Level] = {"error": "ERROR", "warning": "WARN"}  # of findings: notes can wait


@dataclass(frozen=True, slots=True)
class Alert:
    """One message."""

    title: str
    text: str
    level: Level


class Alerts:
    """Notices, in a run from its first to its last iteration.

    A cost that has been above its budget for ``patience`` iterations in a row, as measured, is told once until it has
    kept the budget again; an update that was skipped because of a number that is not finite, at the first of several
    in a row; and an error or a warning of the run's health, when it is first found.

    Args:
        patience: iterations; 0 notices nothing.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._above: dict[str, int] = {}  # iterations in a row
        self._skipping = False
        self._found: set[tuple[str, str, str]] = set()

    def look(self, step: int, metrics: Metrics) -> list[Alert]:
        """What to tell of the iteration that ended at ``step`` environment steps."""
        return [*self._budgets(step, metrics), *self._skips(step, metrics)] if self._patience else []

    def examine(self, findings: Iterable[Finding]) -> list[Alert]:
        """What to tell of the findings that stand now."""
        if not self._patience:
            return []
        new = [found for found in findings if found.severity in LEVELS and found.key not in self._found]
        self._found |= {found.key for found in new}
        return [
            Alert(
                f"Health: {found.name.replace('_', ' ')}",
                f"{found.sentence} {found.remedy}",
                LEVELS[found.severity],
            )
            for found in new
            if found.name != "updates_skipped"  # told at the first
        ]

    def conclude(self, ending: str, result: Mapping[str, Any]) -> list[Alert]:
        """What to tell at the end.

        Args:
            ending: how the run ended: ``finished``, ``stopped`` or ``failed``.
            result: what is in ``result.json``; empty unless it finished.
        """
        if not self._patience:
            return []
        if ending == "failed":
            return [
                Alert(
                    "Run failed", "The run ended before its end: run.log in its directory says why.", "ERROR"
                )
            ]
        return [
            Alert(
                f"Budget violated: {name}",
                f"The best policy's {name} is {cost['mean']:.4g} ({cost['unit']}), at least {cost['lower']:.4g} with "
                f"{cost['confidence']:.0%} confidence; its budget is {cost['budget']:.4g}.",
                "WARN",
            )
            for name, cost in result.get("costs", {}).items()
            if cost["verdict"] == "violated"
        ]

    def _budgets(self, step: int, metrics: Metrics) -> list[Alert]:
        alerts = []
        for key, budget in metrics.items():
            named = BUDGET.fullmatch(key)
            if not named or key.startswith("evaluation/") or f"{named[1]}/mean" not in metrics:
                continue
            mean = metrics[f"{named[1]}/mean"]
            self._above[key] = self._above.get(key, 0) + 1 if mean > budget else 0
            if self._above[key] == self._patience:
                text = (
                    f"{named[1]} has been above its budget of {budget:.4g} for {self._patience} iterations; at step "
                    f"{step:,} it is {mean:.4g}."
                )
                alerts.append(Alert(f"Over budget: {named[2]}", text, "WARN"))
        return alerts

    def _skips(self, step: int, metrics: Metrics) -> list[Alert]:
        before, self._skipping = (
            self._skipping,
            any(
                value > 0.0 for key, value in metrics.items() if key == SKIPPED or key.endswith(f"/{SKIPPED}")
            ),
        )
        if before or not self._skipping:
            return []
        text = (
            f"At step {step:,} an update met or made a number that is not finite and was rolled back; the states "
            "before it are in faults/ in the run's directory."
        )
        return [Alert("Update skipped", text, "ERROR")]
