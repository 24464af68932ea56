"""What can be wrong between a budget and its price."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from pgrobot.health.finding import Symptom
from pgrobot.health.history import View

LONG = 10  # stretches, 100 iterations: an untrained policy is above its budgets for about as long
STILL = 5  # stretches at the maximum in which a cost that can fall does
FALLS = 0.95  # of what it was: more is no falling cost
RISES = 2.0  # times what it was: a price that answers to a cost, and not to noise
AT_MAXIMUM = 0.999  # of it


def multiplier_winds_up(view: View) -> Iterator[Symptom]:
    """A price rises and rises, and its cost does not fall."""
    for name, costs, budget in _above(view, LONG):
        prices = view.last(f"multiplier/{name}", LONG)
        if not prices or _falls(costs) or _at_maximum(view, name, 1):
            continue
        rising = all(after >= 0.98 * before for before, after in pairwise(prices))
        if rising and prices[-1] >= RISES * prices[0]:
            yield Symptom(
                name,
                f"The price of {name} has risen from {prices[0]:.3g} to {prices[-1]:.3g} over 100 iterations, and its "
                f"cost of {costs[-1]:.3g} does not fall to the budget of {budget:.3g}.",
                {
                    f"multiplier/{name}": prices[-1],
                    f"cost/{name}/mean": costs[-1],
                    f"cost/{name}/budget": budget,
                },
                f"See whether any behaviour could keep the budget: raise constraint.{name}.budget, or lower "
                "multiplier.maximum and the gains, so that the reward still counts; torque/<joint>/gradient_"
                f"{name} says which joint could lower it.",
            )


def multiplier_at_maximum(view: View) -> Iterator[Symptom]:
    """A price cannot rise any more while its cost is above the budget."""
    for name, costs, budget in _above(view, 2):
        if _at_maximum(view, name, 2) and not _infeasible(view, name):
            yield Symptom(
                name,
                f"The price of {name} is at its maximum, so that it cannot rise further, and its cost is "
                f"{costs[-1]:.3g} with a budget of {budget:.3g}.",
                {
                    f"multiplier_level/{name}": view.facts.maximum_level,
                    "multiplier.maximum": view.facts.maximum_level,
                    f"cost/{name}/mean": costs[-1],
                    f"cost/{name}/budget": budget,
                },
                "If the cost falls, train longer (total_steps); else raise multiplier.maximum, or the budget "
                f"(constraint.{name}.budget).",
            )


def budget_infeasible(view: View) -> Iterator[Symptom]:
    """At the largest price there is, the cost stays where it is, above the budget."""
    for name, costs, budget in _above(view, STILL):
        if _infeasible(view, name):
            yield Symptom(
                name,
                f"The budget of {budget:.3g} for {name} cannot be kept at this price: it has been at its maximum for "
                f"{10 * STILL} iterations, and the cost stays at {costs[-1]:.3g}.",
                {
                    f"cost/{name}/mean": costs[-1],
                    f"cost/{name}/budget": budget,
                    "multiplier.maximum": view.facts.maximum_level,
                },
                f"Raise constraint.{name}.budget to what the robot can do, raise multiplier.maximum, or make the task "
                "easier: a slower reference, stronger motors, more training.",
            )


def _above(view: View, count: int) -> Iterator[tuple[str, list[float], float]]:
    """Constraints whose cost has been above the budget for ``count`` stretches: name, costs and budget."""
    for name in view.between("cost/", "/budget"):
        costs, budgets = view.last(f"cost/{name}/mean", count), view.last(f"cost/{name}/budget", count)
        if costs and budgets and all(c > b for c, b in zip(costs, budgets, strict=True)):
            yield name, costs, budgets[-1]


def _falls(costs: list[float]) -> bool:
    """Whether the second half is on average clearly below the first."""
    half = len(costs) // 2
    return sum(costs[-half:]) < FALLS * sum(costs[:half])


def _at_maximum(view: View, name: str, count: int) -> bool:
    levels = view.last(f"multiplier_level/{name}", count)
    most = view.facts.maximum_level
    return bool(levels) and most > 0.0 and all(level >= AT_MAXIMUM * most for level in levels)


def _infeasible(view: View, name: str) -> bool:
    costs = view.last(f"cost/{name}/mean", STILL)
    return bool(costs) and _at_maximum(view, name, STILL) and not _falls(costs)
