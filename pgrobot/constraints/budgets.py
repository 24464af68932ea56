"""What is limited, and the columns in which it is trained and measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch

from pgrobot.constraints.tightening import FIXED, Tightening
from pgrobot.errors import PgrobotError, nearest
from pgrobot.ranges import is_number
from pgrobot.types import State

# What a budget may be stated in, and how its figure is read out.
UNITS = MappingProxyType(
    {
        "episode": "per episode",
        "step": "per step",
        "discounted": "discounted",
        "probability": "of episodes",
    }
)


@dataclass(frozen=True, slots=True)
class Constraint:
    """One cost and what may be spent of it.

    The budget's unit says what is compared with it, in the mean over episodes:

    - ``episode``: the sum of the cost over an episode;
    - ``discounted``: that sum, discounted from the episode's first step;
    - ``probability``: the share of episodes whose sum exceeds ``limit``;
    - ``step``: the cost per step, over all steps.

    While it is trained the budget may come from a looser one, by ``schedule``; verdicts are always on ``budget``.

    Raises:
        PgrobotError: a budget or limit that is negative or no finite number, a probability above one, an
            unknown unit, a schedule that begins below the budget.
    """

    name: str
    budget: float
    unit: str
    limit: float  # read by the unit ``probability`` only
    schedule: Tightening = FIXED

    def __post_init__(self) -> None:
        node = f"constraint.{self.name}"
        if self.unit not in UNITS:
            raise PgrobotError(f"{node}.unit={self.unit} is unknown: {nearest(str(self.unit), UNITS)}")
        for key, value in (("budget", self.budget), ("limit", self.limit)):
            if not is_number(value) or not 0.0 <= value < math.inf:
                raise PgrobotError(f"{node}.{key}={value} has to be a finite number of at least 0")
        if self.unit == "probability" and self.budget > 1.0:
            raise PgrobotError(f"{node}.budget is a probability, so at most 1, not {self.budget}")
        if self.schedule != FIXED:
            self._check_schedule(f"{node}.schedule.initial={self.schedule.initial:g}")

    def at(self, progress: float) -> float:
        """The budget when a share ``progress`` of the annealing steps is done."""
        return self.schedule.at(self.budget, progress)

    def _check_schedule(self, initial: str) -> None:
        if not self.budget <= self.schedule.initial < math.inf:
            raise PgrobotError(
                f"{initial} is below the budget of {self.budget:g}, and a schedule goes from loose to tight: begin at "
                f"{self.budget:g} or above, or lower constraint.{self.name}.budget"
            )
        if self.unit == "probability" and self.schedule.initial > 1.0:
            raise PgrobotError(f"{initial} is a probability, so at most 1")


def unattainable(constraint: Constraint) -> str:
    """Why no number of episodes can show that a budget of 0 is kept, and what to ask instead; else nothing."""
    if constraint.budget > 0.0:
        return ""
    node = f"constraint.{constraint.name}"
    if constraint.unit == "probability":
        return (
            f"{node}.budget=0 can never be certified, as no number of episodes shows that something has a probability "
            f"of 0: choose one above it, such as 0.05, which 59 episodes without it certify at 95 %"
        )
    return (
        f"{node}.budget=0 can never be certified, as no number of episodes shows that a mean is 0: limit how often an "
        f"episode may cost anything, by {node}.unit=probability {node}.limit=0 {node}.budget=0.05"
    )


class CostColumns:
    """The cost as it is trained: per step, or for ``probability`` one payment per episode.

    Such a column pays 1 at the step at which the episode's running sum first exceeds the limit, so that its
    sum over an episode is the indicator of exceeding. It needs a memory per environment; all other columns
    are the cost itself. From a cost on that is no number it pays none either until the episode ends, for whoever
    checks numbers to find.

    Attributes:
        paid: columns that pay once have paid in the running episode, ``[N, K]`` bool; False for other units.
    """

    def __init__(self, constraints: Sequence[Constraint], num_envs: int) -> None:
        self._names = tuple(constraint.name for constraint in constraints)
        self._once = np.array([c.unit == "probability" for c in constraints], dtype=bool)
        self._limit = np.array([c.limit if c.unit == "probability" else np.inf for c in constraints])
        self._sum = np.zeros((num_envs, len(constraints)))
        self.paid = np.zeros(self._sum.shape, dtype=bool)

    def __call__(self, cost: np.ndarray, done: np.ndarray) -> np.ndarray:
        """Map a step's cost ``[N, K]`` to columns ``[N, K]``; ``done [N]`` ends an episode with this step.

        Raises:
            PgrobotError: the cost of a column that pays once is negative.
        """
        if not self._once.any():
            return cost
        if (cost[:, self._once] < 0.0).any():
            raise PgrobotError(
                f"the cost of constraint {self._names[int(np.argmax((cost < 0.0).any(axis=0) & self._once))]!r} is "
                "negative in a step, but its unit=probability asks whether a sum that only grows exceeds its limit: "
                "use another unit, or a cost that is never negative"
            )
        self._sum += cost
        first = (self._sum > self._limit) & ~self.paid
        self.paid |= first
        pays = np.where(np.isnan(self._sum), np.nan, first)
        self._sum[done] = 0.0
        self.paid[done] = False
        return np.where(self._once, pays, cost)

    def restart(self) -> None:
        """Forget the running episodes, for new ones begin."""
        self._sum[:] = 0.0
        self.paid[:] = False

    def state_dict(self) -> State:
        return {"sum": torch.tensor(self._sum), "paid": torch.tensor(self.paid)}

    def load_state_dict(self, state: State) -> None:
        self._sum[:] = state["sum"].numpy()
        self.paid[:] = state["paid"].numpy()
