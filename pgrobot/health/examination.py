"""All findings in one table, and the examination of a run by them, whether it runs or has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pgrobot.health.constraints import (
    budget_infeasible,
    budgets_contradict,
    cost_never_occurs,
    multiplier_at_maximum,
    multiplier_winds_up,
)
from pgrobot.health.facts import Facts
from pgrobot.health.finding import Finding, Severity, Symptom, sorted_by_severity
from pgrobot.health.history import FIRST, Stretches, View
from pgrobot.health.learning import (
    critic_useless,
    numbers_not_finite,
    reward_out_of_scale,
    simulations_break,
    updates_skipped,
)
from pgrobot.health.policy import clipped_much, kl_runaway, normalizer_drifts, std_at_bound, std_collapsing
from pgrobot.health.robot import actuator_saturated, sensor_unused, too_few_episodes

GONE = 3  # looks without a symptom until its finding is gone


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of finding.

    Attributes:
        name: of it.
        severity: of it.
        patience: looks in a row that have to see the symptom, so that what comes and goes is not told. 1: what counts
            events, or is looked at rarely; it is believed at once, also at the end of a run.
        look: yields what it sees, shown one learner.
    """

    name: str
    severity: Severity
    patience: int
    look: Callable[[View], Iterator[Symptom]]


CHECKS = (
    Check("updates_skipped", "error", 1, updates_skipped),
    Check("kl_runaway", "error", 2, kl_runaway),
    Check("budget_infeasible", "error", 2, budget_infeasible),
    Check("budgets_contradict", "error", 2, budgets_contradict),
    Check("std_at_bound", "warning", 2, std_at_bound),
    Check("std_collapsing", "warning", 2, std_collapsing),
    Check("critic_useless", "warning", 2, critic_useless),
    Check("clipped_much", "warning", 2, clipped_much),
    Check("reward_out_of_scale", "warning", 2, reward_out_of_scale),
    Check("normalizer_drifts", "warning", 2, normalizer_drifts),
    Check("multiplier_winds_up", "warning", 2, multiplier_winds_up),
    Check("multiplier_at_maximum", "warning", 2, multiplier_at_maximum),
    Check("actuator_saturated", "warning", 2, actuator_saturated),
    Check("numbers_not_finite", "warning", 1, numbers_not_finite),
    Check("simulations_break", "warning", 1, simulations_break),
    Check("cost_never_occurs", "note", 2, cost_never_occurs),
    Check("too_few_episodes", "note", 1, too_few_episodes),
    Check("sensor_unused", "note", 1, sensor_unused),
)

_Key = tuple[str, str, str]


class Examination:
    """Takes in a run, iteration by iteration, and knows what is wrong with it.

    Every ``STRETCH`` iterations it looks. A finding stands when its symptom was seen in ``patience`` looks in a row,
    and is gone after ``GONE`` looks without it, so that none flickers. The same iterations give the same findings.

    Args:
        facts: of the run.

    Attributes:
        facts: may be replaced when more is known.
        standing: the findings at the last look, the worst first.
        past: those that are gone, with the environment steps at which they were, in that order.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.standing: tuple[Finding, ...] = ()
        self.past: tuple[tuple[Finding, int], ...] = ()
        self._stretches = Stretches()
        self._seen: dict[_Key, tuple[Finding, int]] = {}  # with the looks in a row that saw it
        self._missing: dict[_Key, int] = {}  # of those that stand: looks in a row that did not see it

    @property
    def iterations(self) -> int:
        """Taken in."""
        return self._stretches.iterations

    @property
    def step(self) -> int:
        """Environment steps after the last iteration."""
        return self._stretches.step

    @property
    def judged(self) -> bool:
        """Whether so much is known of the run that no finding means that nothing is wrong."""
        return self.iterations >= FIRST and self._stretches.knows

    @property
    def summary(self) -> str:
        """What there is to say where no finding stands; empty where one does."""
        if self.standing:
            return ""
        if self.iterations < FIRST:
            return f"{self.iterations} iterations are too few to judge by: it takes {FIRST}."
        if not self.judged:
            return "Nothing is known of the run by which it could be judged: its metrics have other names."
        return f"Nothing is wrong at step {self.step:,}."

    def add(self, step: int, metrics: Mapping[str, object]) -> bool:
        """Take in an iteration; returns whether other findings stand than before."""
        if not self._stretches.add(step, metrics) or self._stretches.iterations < FIRST:
            return False
        return self._look(CHECKS)

    def conclude(self) -> bool:
        """Look once more at the end, by what needs no patience; returns whether other findings stand than before."""
        self._stretches.conclude()
        return self._look(tuple(check for check in CHECKS if check.patience == 1))

    def _look(self, checks: Iterable[Check]) -> bool:
        checks = tuple(checks)
        names = {check.name for check in checks}
        before = {finding.key: finding for finding in self.standing}
        found = {finding.key: (finding, check.patience) for check in checks for finding in self._found(check)}
        others = {key: seen for key, seen in self._seen.items() if key[0] not in names}
        self._seen = others | {key: self._again(finding) for key, (finding, _) in found.items()}
        after = {key: finding for key, finding in before.items() if key[0] not in names}
        for key, (_, patience) in found.items():
            finding, times = self._seen[key]
            if key in before:
                after[key] = replace(finding, since_step=before[key].since_step)
            elif times >= patience:
                after[key] = finding
        for key, finding in before.items():
            if key[0] not in names:
                continue
            self._missing[key] = 0 if key in found else self._missing.get(key, 0) + 1
            if 0 < self._missing[key] < GONE:
                after[key] = finding
            elif self._missing[key] >= GONE:
                self.past = (*self.past, (finding, self.step))
                del self._missing[key]
        self.standing = sorted_by_severity(tuple(after.values()))
        return after.keys() != before.keys()

    def _found(self, check: Check) -> Iterator[Finding]:
        for learner, view in self._stretches.views(self.facts):
            for seen in check.look(view):
                sentence = f"{learner}: {seen.sentence}" if learner else seen.sentence
                yield Finding(
                    check.name,
                    check.severity,
                    learner,
                    seen.subject,
                    sentence,
                    seen.evidence,
                    seen.remedy,
                    view.step,
                )

    def _again(self, finding: Finding) -> tuple[Finding, int]:
        """The finding with the step at which it was first seen, and how often in a row it was."""
        first, times = self._seen.get(finding.key, (finding, 0))
        return replace(finding, since_step=first.since_step), times + 1


def examined(rows: Iterable[tuple[int, Mapping[str, object]]], facts: Facts) -> Examination:
    """The examination of a run that has ended, or of as much of one as there is."""
    examination = Examination(facts)
    for step, metrics in rows:
        examination.add(step, metrics)
    return examination


def findings(rows: Iterable[tuple[int, Mapping[str, object]]], facts: Facts) -> tuple[Finding, ...]:
    """What is wrong at the end of these iterations, the worst first.

    Args:
        rows: environment steps and metrics of every iteration, in order.
        facts: of the run.
    """
    examination = examined(rows, facts)
    examination.conclude()
    return examination.standing
