"""Alerts say what somebody who is away should know, once."""

from __future__ import annotations

from pgrobot.tracking.alerts import Alerts


def told(alerts: Alerts, costs: list[float], key: str = "cost/torque") -> list[tuple[int, str]]:
    found = []
    for step, cost in enumerate(costs):
        metrics = {f"{key}/mean": cost, f"{key}/budget": 1.0, "evaluation/cost/torque/budget": 1.0}
        found += [(step, alert.title) for alert in alerts.look(step, metrics)]
    return found


def test_a_cost_above_its_budget_for_long_is_told_once_until_it_was_kept_again() -> None:
    assert told(Alerts(3), [2.0, 2.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0]) == [(5, "Over budget: torque")]
    assert told(Alerts(2), [2.0, 2.0, 2.0, 0.0, 2.0, 2.0]) == [
        (1, "Over budget: torque"),
        (5, "Over budget: torque"),
    ]
    assert told(Alerts(2), [1.0] * 9) == []


def test_every_cost_counts_for_itself_and_an_iteration_without_it_for_nothing() -> None:
    alerts = Alerts(2)
    assert told(alerts, [2.0]) == []
    assert told(alerts, [2.0], "cost/speed") == []
    assert alerts.look(9, {"return/mean": 1.0}) == []
    (alert,) = alerts.look(10, {"cost/torque/mean": 1.25, "cost/torque/budget": 1.0})
    assert alert.text == "cost/torque has been above its budget of 1 for 2 iterations; at step 10 it is 1.25."


def test_learners_have_costs_of_their_own() -> None:
    assert told(Alerts(1), [2.0], "walker/cost/torque") == [(0, "Over budget: torque")]
    assert told(Alerts(1), [2.0], "evaluation/cost/torque") == []


def test_skipped_updates_are_told_at_the_first_of_several() -> None:
    alerts = Alerts(5)
    skips = [0.0, 1.0, 1.0, 0.0, 1.0]
    found = [[a.title for a in alerts.look(i, {"guard/skipped_updates": s})] for i, s in enumerate(skips)]
    assert found == [[], ["Update skipped"], [], [], ["Update skipped"]]
    assert [a.level for a in alerts.look(9, {"guard/skipped_updates": 0.0})] == []
    assert len(alerts.look(10, {"robot/guard/skipped_updates": 1.0})) == 1


def test_the_end() -> None:
    violated = {
        "verdict": "violated",
        "mean": 0.25,
        "lower": 0.2,
        "budget": 0.1,
        "unit": "step",
        "confidence": 0.95,
    }
    result = {"costs": {"torque": violated, "speed": {"verdict": "undecided"}}}
    (alert,) = Alerts(1).conclude("finished", result)
    assert alert.title == "Budget violated: torque"
    assert alert.text == (
        "The best policy's torque is 0.25 (step), at least 0.2 with 95% confidence; its budget is 0.1."
    )
    assert [a.level for a in Alerts(1).conclude("failed", {})] == ["ERROR"]
    assert Alerts(1).conclude("stopped", {}) == []


def test_without_patience_nothing_is_told() -> None:
    alerts = Alerts(0)
    assert told(alerts, [2.0] * 9) == []
    assert alerts.look(1, {"guard/skipped_updates": 1.0}) == []
    assert alerts.conclude("failed", {}) == []
