"""Budgets that are loose at first, and tightened as training goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pgrobot.errors import PgrobotError, nearest, shown
from pgrobot.ranges import Keys, Range, is_number

INITIAL, UNTIL = "initial", "until"
KEYS = (INITIAL, UNTIL)
_share = Range(
    lambda value: is_number(value) and 0.0 < value <= 1.0,
    float,
    lambda value: f"is a share of annealing_steps, above 0 and at most 1, such as 0.5, not {shown(value)}",
)
_amount = Range(
    lambda value: is_number(value) and 0.0 <= value < math.inf,
    float,
    lambda value: (
        f"is the budget at first, a number of at least 0, or null for no schedule, not {shown(value)}"
    ),
)


@dataclass(frozen=True, slots=True)
class Tightening:
    """A budget goes in a straight line from ``initial`` to its own value, and stays there.

    Attributes:
        initial: the budget when training begins.
        until: the share of the annealing steps after which it is the constraint's own; 0: from the first step on.
    """

    initial: float
    until: float

    def at(self, budget: float, progress: float) -> float:
        """The budget at ``progress``, a share of the annealing steps that may exceed 1, on the way to ``budget``."""
        if progress >= self.until:
            return budget
        return self.initial + (budget - self.initial) * (progress / self.until)


FIXED = Tightening(0.0, 0.0)


def tightening_of(node: Mapping[str, Any] | None) -> Tightening:
    """What a checked node says; one without ``initial`` leaves the budget as it is."""
    if not node or node.get(INITIAL) is None:
        return FIXED
    return Tightening(node[INITIAL], node[UNTIL])


class TighteningRule(Keys):
    """What ``constraint.<name>.schedule`` may be: null, or its two keys."""

    def __call__(self, key: str, value: Any) -> Any:
        """The node with its numbers in their types; an empty one where it is null.

        Raises:
            PgrobotError: names the key that is unknown, missing or out of range.
        """
        node = super().__call__(key, {} if value is None else value)
        for name in node:
            if name not in KEYS:
                raise PgrobotError(f"{key} has no key {str(name)!r}: {nearest(str(name), KEYS)}")
        if node and INITIAL not in node:
            raise PgrobotError(f"{key}.{INITIAL} must be given, the budget at first, beside {key}.{UNTIL}")
        if not node or node[INITIAL] is None:
            return node
        until = node.get(UNTIL, 0.5)
        return {INITIAL: _amount(f"{key}.{INITIAL}", node[INITIAL]), UNTIL: _share(f"{key}.{UNTIL}", until)}
