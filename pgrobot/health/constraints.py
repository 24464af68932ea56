"""What can be wrong between a budget and its price."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from math import hypot

from pgrobot.health.finding import Symptom
from pgrobot.health.history import STRETCH, View

LONG = 10  # stretches, 100 iterations: an untrained policy is above its budgets for about as long
STILL = 5  # stretches at the maximum in which a cost that can fall does
FALLS = 0.95  # of what it was: more is no falling cost
RISES = 2.0  # times what it was: a price that answers to a cost, and not to noise
AT_MAXIMUM = 0.999  # of it
OPPOSED = -0.5  # cosine of two costs' gradients by actuator, in each of the stretches: noise changes its sign
RECOVERY = "step/case/recovery"  # whether a solver's step did nothing but lower costs


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
    contradicting = {name for pair in _contradicting(view) for name in pair}
    for name, costs, budget in _above(view, STILL):
        if name in contradicting:
            continue
        if _recovering(view) and not _falls(costs):
            yield Symptom(
                name,
                f"The budget of {budget:.3g} for {name} is not kept though nothing else is sought: for {10 * STILL} "
                f"iterations steps did nothing but lower costs, and this one stays at {costs[-1]:.3g}.",
                {
                    RECOVERY: view.last(RECOVERY, 1)[0],
                    f"cost/{name}/mean": costs[-1],
                    f"cost/{name}/budget": budget,
                },
                f"Raise constraint.{name}.budget to what the robot can do, or make the task easier.",
            )
        elif _infeasible(view, name):
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


def budgets_contradict(view: View) -> Iterator[Symptom]:
    """Two budgets are exceeded for long, though all is done for both, and what lowers one cost raises the other."""
    above = {name: (costs[-1], budget) for name, costs, budget in _above(view, STILL)}
    for pair in _contradicting(view):
        (one, spent, least), (other, spent_too, least_too) = ((name, *above[name]) for name in pair)
        yield Symptom(
            f"{one} and {other}",
            f"The budgets of {one} and {other} contradict each other: for {10 * STILL} iterations they cost "
            f"{spent:.3g} of {least:.3g} and {spent_too:.3g} of {least_too:.3g}, neither falls, "
            "and what lowers one raises the other.",
            {
                f"cost/{one}/mean": spent,
                f"cost/{other}/mean": spent_too,
                "cosine of their gradients by actuator": max(_cosines(view, one, other)),
            },
            f"Raise constraint.{one}.budget or constraint.{other}.budget: no policy is in sight that keeps both. "
            "The best one is that which exceeds them the least.",
        )


def cost_never_occurs(view: View) -> Iterator[Symptom]:
    """A cost has been nothing in every iteration."""
    if view.iterations < LONG * STRETCH:
        return
    for metric in view.idle:
        name = metric.split("/")[1]
        yield Symptom(
            name,
            f"{name} has cost nothing in {view.iterations} iterations, so that its budget limits nothing.",
            {metric: 0.0},
            f"See whether constraint.{name}.cost asks for what is meant: pgrobot probe tells what is spent of it; or "
            "leave the constraint out.",
        )


def _contradicting(view: View) -> list[tuple[str, str]]:
    """Pairs of costs above their budgets that do not fall at the greatest price, or in a recovery, and oppose."""
    stuck = [
        name
        for name, costs, _ in _above(view, STILL)
        if not _falls(costs) and (_recovering(view) or _at_maximum(view, name, STILL))
    ]
    return [
        (one, other)
        for one, other in combinations(stuck, 2)
        if (cosines := _cosines(view, one, other)) and max(cosines) < OPPOSED
    ]


def _cosines(view: View, one: str, other: str) -> list[float]:
    """Of the angle between two costs' gradients by actuator, in each of the last stretches; none where unknown."""
    known = [
        (
            view.last(f"torque/{joint}/gradient_{one}", STILL),
            view.last(f"torque/{joint}/gradient_{other}", STILL),
        )
        for joint in view.between("torque/", f"/gradient_{one}")
    ]
    pulls = [pair for pair in known if all(pair)]
    found = []
    for t in range(STILL if pulls else 0):
        size = hypot(*(a[t] for a, _ in pulls)) * hypot(*(b[t] for _, b in pulls))
        found.append(sum(a[t] * b[t] for a, b in pulls) / size if size else 0.0)
    return found


def _recovering(view: View) -> bool:
    shares = view.last(RECOVERY, STILL)
    return bool(shares) and min(shares) > 0.5


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
