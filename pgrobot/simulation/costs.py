"""What a cost is to the simulation. Costs themselves live with the robots."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from pgrobot.simulation.simulation import Simulation
from pgrobot.types import State


class BoundCost(Protocol):
    """A cost of one set of simulations.

    One that also has a number ``highest`` says the most that it can charge in a step, all parts together: what
    ``evaluation.bound=betting`` needs to know. One with a true ``counts`` says that each part adds 1 or nothing.
    """

    parts: tuple[str, ...]  # J names: the joints, actuators or bodies it adds up

    def __call__(self) -> np.ndarray:
        """Amounts of the last step ``[N, J]``; the cost is their sum over ``J``."""
        ...

    def reset(self, ids: np.ndarray) -> None:
        """Forget the past of simulations ``ids``, which start a new episode."""
        ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


class Cost(Protocol):
    """A named amount per step that a constraint limits.

    A ``bind`` with a parameter ``name`` is given the constraint's, for its messages.
    """

    def bind(self, simulation: Simulation) -> BoundCost:
        """Resolve names and limits once.

        Raises:
            PgrobotError: this robot cannot provide the cost.
        """
        ...


def highest(cost: BoundCost) -> float:
    """The most that a cost can charge in a step; infinite where it does not say."""
    return float(getattr(cost, "highest", math.inf))


def counts(cost: BoundCost) -> bool:
    """Whether each part adds 1 or nothing, so that no violation is larger than another; not, where it does not say."""
    return bool(getattr(cost, "counts", False))
