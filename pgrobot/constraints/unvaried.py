"""Telling a cost that is the same in every step, which no policy can lower."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from torch import Tensor

from pgrobot.constraints.budgets import Constraint

LONG = 20  # rollouts that a cost may be one number before that is told

_logger = logging.getLogger(__name__)


class Unvaried:
    """Tells, once for each constraint, that its cost has been one number, other than 0, in every step for long.

    A cost of 0 is what a policy that keeps its budget has, and is no reason for a warning. A run that is resumed counts
    anew.

    Args:
        constraints: in the order of the columns.
    """

    def __init__(self, constraints: Sequence[Constraint]) -> None:
        self._names = tuple(constraint.name for constraint in constraints)
        self._value = [math.nan] * len(self._names)
        self._count = [0] * len(self._names)  # rollouts in a row

    def watch(self, cost: Tensor, counts: Tensor) -> None:
        """Look at the columns of one more rollout, ``[T, N, K]``, in the steps that count, ``[T, N]`` bool."""
        rows = cost[counts]
        if not len(rows) or not self._names:
            return
        low, high = (reach.tolist() for reach in (rows.amin(dim=0), rows.amax(dim=0)))
        for k, name in enumerate(self._names):
            same = low[k] == high[k] != 0.0 and (not self._count[k] or low[k] == self._value[k])
            self._value[k], self._count[k] = low[k], self._count[k] + 1 if same else 0
            if self._count[k] == LONG:
                _logger.warning(
                    "The cost of '%s' has been %g in every step of %d rollouts, whatever was done: no price can lower "
                    "it. See whether constraint.%s.cost asks for what is meant.",
                    name, low[k], LONG, name,
                )  # fmt: skip
