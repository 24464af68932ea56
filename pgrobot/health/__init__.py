"""What is wrong with a run, in plain words, with evidence and a remedy; it reads metrics only.

A new finding is one function, from a ``View`` of the metrics and the ``Facts`` of the run to what it sees, and one row
of ``CHECKS``; docs/health.md says what each one means.
"""

from pgrobot.health.examination import CHECKS, Check, Examination, examined, findings
from pgrobot.health.facts import Facts
from pgrobot.health.finding import SEVERITIES, Finding, Severity, Symptom
from pgrobot.health.history import STRETCH, Stretches, View
from pgrobot.health.reading import Row, examine_run, lines, rows
from pgrobot.health.record import FILE, Health, as_json

__all__ = [
    "CHECKS",
    "FILE",
    "SEVERITIES",
    "STRETCH",
    "Check",
    "Examination",
    "Facts",
    "Finding",
    "Health",
    "Row",
    "Severity",
    "Stretches",
    "Symptom",
    "View",
    "as_json",
    "examine_run",
    "examined",
    "findings",
    "lines",
    "rows",
]
