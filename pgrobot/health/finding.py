"""What a finding is: something that is wrong with a run, in plain words, with its evidence and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Severity = Literal["error", "warning", "note"]  # the worst first
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True, slots=True)
class Symptom:
    """What a check sees where it looks.

    Attributes:
        subject: what has it, where there can be several: a constraint, an actuator, a reward term; else empty.
        sentence: what is wrong, in plain words.
        evidence: the figures that say so, by the metric or config key they come from.
        remedy: what to try.
    """

    subject: str
    sentence: str
    evidence: Mapping[str, float]
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A symptom that has lasted.

    Attributes:
        name: which finding it is, one of docs/health.md.
        severity: ``error``: the run will not give what it was asked for unless something changes; ``warning``: it is
            likely to be worse than it could be; ``note``: worth knowing.
        learner: whose it is, where there are several; else empty.
        subject, sentence, evidence, remedy: as of the symptom, when it was last seen.
        since_step: environment steps at the end of the stretch in which it was first seen.
    """

    name: str
    severity: Severity
    learner: str
    subject: str
    sentence: str
    evidence: Mapping[str, float]
    remedy: str
    since_step: int

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two findings the same one, seen at different times."""
        return self.name, self.learner, self.subject


def sorted_by_severity(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """The worst first, and of those of one severity the oldest."""
    return tuple(sorted(found, key=lambda f: (SEVERITIES.index(f.severity), f.since_step, f.key)))
