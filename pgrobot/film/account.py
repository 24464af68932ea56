"""Keeps account of the episodes that a film shows: what they earn and spend, and what is violated."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from pgrobot.constraints.budgets import Constraint
from pgrobot.film.moment import Spending
from pgrobot.types import EnvironmentSpec, Step

MOST_PARTS = 3  # that are named
HOLD = 0.25  # seconds for which a violation is shown, however short it was
WORDS = {"episode": "in sum", "discounted": "discounted", "step": "per step"}


class Account:
    """The first environment's running episode.

    Args:
        spec: of the environment.
        constraints: its budgets, in the order of the costs.
        gamma: the discount of those that are discounted.

    Attributes:
        episode: its number, from 1.
        total: what it returned so far.
    """

    def __init__(self, spec: EnvironmentSpec, constraints: Sequence[Constraint], gamma: float) -> None:
        self._spec, self._constraints, self._gamma = spec, constraints, gamma
        self._seen: dict[str, dict[str, float]] = {c.name: {} for c in constraints}  # part -> when, seconds
        self._time = 0.0
        self._ended = False
        self.episode = 0
        self._begin()

    def add(self, step: Step) -> None:
        """Take note of a step."""
        if self._ended:
            self._begin()
        self._time += self._spec.control_dt
        cost = step.cost[0]
        self._spent += cost
        self._discounted += cost * self._gamma**self._age
        self._age += 1
        self.total += float(step.reward[0])
        for constraint, amount in zip(self._constraints, cost.tolist(), strict=True):
            if amount > 0.0:
                seen = self._seen[constraint.name]
                seen |= dict.fromkeys([*self._violated(constraint.name, step), ""], self._time)
        self._ended = bool(step.terminated[0] | step.truncated[0])

    @property
    def spendings(self) -> tuple[Spending, ...]:
        """What the running episode has spent of every budget."""
        return tuple(self._spending(k) for k in range(len(self._constraints)))

    @property
    def violations(self) -> tuple[str, ...]:
        """What has just been violated, and where."""
        told = []
        for name, seen in self._seen.items():
            if self._lately(seen.get("", -inf)):
                parts = [part for part, when in seen.items() if part and self._lately(when)]
                several = len(self._spec.violations.get(name, ())) > 1
                told.append(f"{name}: {_listed(parts)}" if parts and several else name)
        return tuple(told)

    @property
    def time(self) -> float:
        """Simulated seconds since it began."""
        return self._time

    def violates(self, parts: set[str], since: float) -> bool:
        """Whether one of these parts has violated anything after this time: what is live beside it is of now."""
        return any(seen[part] > since for seen in self._seen.values() for part in parts & seen.keys())

    def _begin(self) -> None:
        self.episode += 1
        self.total, self._age = 0.0, 0
        self._spent = np.zeros(len(self._constraints))
        self._discounted = np.zeros(len(self._constraints))

    def _lately(self, when: float) -> bool:
        return self._time - when < HOLD

    def _violated(self, name: str, step: Step) -> list[str]:
        """The parts that violated a constraint in a step."""
        amounts = step.telemetry.get(f"violation/{name}", np.zeros((1, 0)))[0]
        return [
            part for part, amount in zip(self._spec.violations.get(name, ()), amounts, strict=False) if amount
        ]

    def _spending(self, k: int) -> Spending:
        constraint = self._constraints[k]
        value = float(self._discounted[k] if constraint.unit == "discounted" else self._spent[k])
        if constraint.unit == "step":
            value /= max(self._age, 1)
        return Spending(
            name=constraint.name,
            value=value,
            allowed=constraint.limit if constraint.unit == "probability" else constraint.budget,
            unit=WORDS.get(constraint.unit) or _share(constraint),
            violates=self._lately(self._seen[constraint.name].get("", -inf)),
        )


def _share(constraint: Constraint) -> str:
    """What a budget on the share of episodes says: ``fall never, 10 % of episodes may``."""
    share = f"{100.0 * constraint.budget:.3g} % of episodes may"
    return f"at most, {share} exceed" if constraint.limit > 0.0 else f"never, {share}"


def _listed(parts: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(parts) - MOST_PARTS} more" if len(parts) > MOST_PARTS else ""
    return ", ".join(parts[:MOST_PARTS]) + more
