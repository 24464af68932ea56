"""When two budgets contradict each other, and when a cost never occurs."""

from __future__ import annotations

import pytest

from pgrobot.health import STRETCH, findings

from .test_examination import FACTS, OPPOSED, names, rows


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"torque/hip/gradient_speed": 2.0}, ["budget_infeasible"] * 2),
        ({"torque/knee/gradient_speed": 9.0, "torque/knee/gradient_torque": 1.0}, ["budget_infeasible"] * 2),
        ({"torque/knee/gradient_speed": 0.3, "torque/knee/gradient_torque": 0.1}, ["budgets_contradict"]),
        ({"cost/speed/mean": 0.05}, ["budget_infeasible"]),
        ({"multiplier_level/speed": 50.0}, ["budget_infeasible"]),
        ({"multiplier_level/speed": 0.0, "multiplier_level/torque": 0.0}, []),
        (
            {"multiplier_level/speed": 0.0, "multiplier_level/torque": 0.0, "step/case/recovery": 1.0},
            ["budgets_contradict"],
        ),
        (
            {"multiplier_level/torque": 0.0, "cost/speed/mean": 0.0, "step/case/recovery": 1.0},
            ["budget_infeasible", "cost_never_occurs"],
        ),
    ],
)
def test_budgets_contradict_where_both_are_pressed_and_oppose(
    change: dict[str, float], found: list[str]
) -> None:
    assert names(120, lambda i: OPPOSED | change) == found
    sometimes = OPPOSED | change | {"torque/hip/gradient_speed": 2.0}
    mixed = names(120, lambda i: sometimes if i // STRETCH % 2 else OPPOSED | change)
    assert "budgets_contradict" not in mixed, "noise has either sign"


def test_a_cost_that_occurred_once_occurs() -> None:
    assert names(300, lambda i: {"cost/torque/mean": float(i == 150)}) == []
    assert names(99, lambda i: {"cost/torque/mean": 0.0}) == []
    (found,) = findings(rows(300, lambda i: {"cost/torque/mean": 0.0}), FACTS)
    assert (found.subject, found.severity) == ("torque", "note")
