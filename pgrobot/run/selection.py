"""Choosing the best feasible policy of a run, by evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Score:
    """How good an evaluated policy is: feasible ones by their return, the others by how little they violate.

    A policy is feasible if the upper bound of every cost lies within its budget: satisfied with confidence, not on
    average; and if no simulation broke under it, for what it earned may then be a flaw of the simulator. Fields are
    in order of importance, so that scores compare as tuples do.
    """

    feasible: bool
    merit: float  # the mean return of a feasible policy, else minus the violation


WORST = Score(feasible=False, merit=-math.inf)


def score(mean_return: float, costs: Sequence[Mapping[str, Any]], failures: int) -> Score:
    """Score an evaluation.

    Args:
        mean_return: mean over episodes.
        costs: ``upper`` and ``budget`` of every constraint. The violation is the largest excess of a bound over its
            budget, as a share of the budget (of 1 for a budget of zero, in the cost's unit).
        failures: simulations that broke.

    Returns:
        ``WORST`` where a simulation broke, and where any figure is not a number: nothing compares with one, so it
        could never be replaced.
    """
    excess = [(cost["upper"] - cost["budget"]) / (cost["budget"] or 1.0) for cost in costs]
    worst = max(excess, default=0.0)
    if failures or any(math.isnan(number) for number in (mean_return, *excess)):
        return WORST
    feasible = worst <= 0.0
    return Score(feasible, mean_return if feasible else -worst)
