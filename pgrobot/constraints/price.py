"""How prices act: one scale for all units of budgets and rewards, one way to fold priced costs into the advantage."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pgrobot.constraints.budgets import Constraint
from pgrobot.errors import PgrobotError
from pgrobot.types import Metrics, State

LONG = 20  # iterations that a price may stay at its maximum before that is told

_logger = logging.getLogger(__name__)


class Pricing:
    """Prices of ``K`` constraints, on a scale that depends on the unit of neither budgets nor reward.

    A multiplier λ gives up λ units of reward to save one unit of cost. What moves is its *level* ``λ / s``, with s the
    root mean square of what a step has earned so far, reward and bonuses together, and 1 while that is 0. It moves on
    the *rate*: cost per step too much, the excess divided by the steps that the budget's unit adds up. An episode that
    exceeds its limit (``probability``) counts like one that costs 1 in each of its steps. One set of gains therefore
    serves every unit, budget, reward and length of episodes, for costs of the order of one per step.

    See docs/derivations.md#multipliers.

    Args:
        constraints: the priced constraints.
        columns: the advantage's columns; those not named ``cost/…`` are gains.

    Raises:
        PgrobotError: a constraint without a column.
    """

    def __init__(self, constraints: Sequence[Constraint], columns: Sequence[str]) -> None:
        missing = [c.name for c in constraints if f"cost/{c.name}" not in columns]
        if missing:
            raise PgrobotError(f"constraint {missing[0]!r} has no column among {', '.join(columns)}")
        self.names = tuple(c.name for c in constraints)
        self._gains = [i for i, column in enumerate(columns) if not column.startswith("cost/")]
        self._costs = [columns.index(f"cost/{name}") for name in self.names]
        self._once = torch.tensor([c.unit == "probability" for c in constraints], dtype=torch.bool)
        self._length = 1.0  # of an episode, as of the last rollout
        self._square = 0.0  # mean square of what a step earned
        self._count = 0  # rollouts in it

    @property
    def scale(self) -> float:
        """What a level of 1 is worth: s, in units of reward."""
        return math.sqrt(self._square) or 1.0

    def rate(self, excess: Tensor, length: float, reward: Tensor) -> Tensor:
        """Take in what ``Multiplier.update`` is given; returns the cost per step too much ``[K]``, float64."""
        square = float(self.gain(reward).double().square().mean())
        self._count += 1
        self._square += (square - self._square) / self._count
        self._length = length
        return excess.detach().to("cpu", torch.float64) * self._worth()

    def gain(self, column: Tensor) -> Tensor:
        """Reward and bonuses of ``[..., C]`` added up, ``[...]``."""
        return column[..., self._gains].sum(dim=-1)

    def mix(self, advantage: Tensor, level: Tensor) -> Tensor:
        """``(gain − s Σ level·centred cost) / (1 + Σ level)`` of the columns ``[..., C]``, ``[...]``.

        The costs are centred, as by any baseline, but never divided by their deviation, which would make the
        price depend on how often the cost occurs.
        """
        price = level * self._worth()
        cost = advantage[..., self._costs]
        centred = cost - cost.mean(dim=tuple(range(cost.dim() - 1)))
        return (self.gain(advantage) - centred @ (self.scale * price).to(advantage)) / (
            1.0 + price.sum().to(advantage)
        )

    def metrics(self, level: Tensor) -> Metrics:
        """λ of every constraint, in reward per cost, and its level."""
        prices = zip(self.names, (self.scale * level).tolist(), strict=True)
        levels = zip(self.names, level.tolist(), strict=True)
        return {f"multiplier/{name}": value for name, value in prices} | {
            f"multiplier_level/{name}": value for name, value in levels
        }

    def state_dict(self) -> State:
        return {"length": self._length, "square": self._square, "count": self._count}

    def load_state_dict(self, state: State) -> None:
        self._length = state["length"]
        self._square = state["square"]
        self._count = state["count"]

    def _worth(self) -> Tensor:
        """Steps that a payment counts for, ``[K]``."""
        return torch.where(self._once, self._length, 1.0).double()


class Ceiling:
    """Tells, once for each constraint, that its level has been at the maximum for long.

    Args:
        constraints: the priced constraints.
        maximum: the largest level.
    """

    def __init__(self, constraints: Sequence[Constraint], maximum: float) -> None:
        self._constraints = tuple(constraints)
        self._maximum = maximum
        self._reached = torch.zeros(len(self._constraints), dtype=torch.long)  # iterations in a row
        self._told = torch.zeros(len(self._constraints), dtype=torch.bool)

    def watch(self, level: Tensor) -> None:
        """Look at the levels ``[K]`` of one more iteration."""
        at = (level >= self._maximum) & (level > 0.0)
        self._reached = torch.where(at, self._reached + 1, 0)
        new = (self._reached >= LONG) & ~self._told
        self._told |= new
        for constraint, tell in zip(self._constraints, new.tolist(), strict=True):
            if tell:
                _logger.warning(
                    "The price of '%s' has been at multiplier.maximum=%g for %d iterations, so that it cannot rise: if "
                    "its cost stays above the budget of %g and still falls, train longer (total_steps); if it stays "
                    "above and does not fall, raise the maximum, or the budget (constraint.%s.budget), which may be "
                    "out of reach.",
                    constraint.name, self._maximum, LONG, constraint.budget, constraint.name,
                )  # fmt: skip

    def state_dict(self) -> State:
        return {"reached": self._reached.clone(), "told": self._told.clone()}

    def load_state_dict(self, state: State) -> None:
        self._reached = state["reached"].clone()
        self._told = state["told"].clone()


def start(initial: float, maximum: float, count: int) -> Tensor:
    """``count`` levels at ``initial``, float64.

    Raises:
        PgrobotError: not ``0 <= initial <= maximum < ∞``.
    """
    if not 0.0 <= initial <= maximum < math.inf:
        raise PgrobotError(
            f"multiplier.initial={initial} has to lie between 0 and multiplier.maximum={maximum}"
        )
    return torch.full((count,), float(initial), dtype=torch.float64)


def check_gain(key: str, value: float) -> None:
    """Refuse what is no finite number of at least zero.

    Raises:
        PgrobotError: it is not.
    """
    if not 0.0 <= value < math.inf:
        raise PgrobotError(f"multiplier.{key}={value} has to be a finite number of at least 0")


def check_fraction(key: str, value: float) -> None:
    """Refuse what does not lie in [0, 1).

    Raises:
        PgrobotError: it does not.
    """
    if not 0.0 <= value < 1.0:
        raise PgrobotError(f"multiplier.{key}={value} has to lie in [0, 1)")
