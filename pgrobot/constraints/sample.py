"""What episodes show of one budget, in the budget's own unit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pgrobot.constraints.budgets import Constraint

ROUNDING = 1e-9  # of the figures themselves: what is smaller is no difference


@dataclass(frozen=True, slots=True)
class Spending:
    """What ``E`` whole episodes spent of one budget, and the most that any episode could.

    Attributes:
        cost: sums over the episodes ``[E]``.
        discounted: the same, discounted by ``gamma`` from the episode's first step ``[E]``.
        length: steps of the episodes ``[E]``.
        broken: how many simulations broke meanwhile, cutting their episode short.
        least: the least that a step of theirs cost.
        most: the most that a step of theirs cost.
        highest: the most that a step can cost; infinite where that is not known.
        max_episode_steps: the time limit.
        gamma: the discount.
    """

    cost: np.ndarray
    discounted: np.ndarray
    length: np.ndarray
    broken: int
    least: float
    most: float
    highest: float
    max_episode_steps: int
    gamma: float

    @property
    def in_range(self) -> bool:
        """Whether no step cost less than 0, or more than a step is said to cost at most."""
        slack = ROUNDING * self.highest if math.isfinite(self.highest) else 0.0
        return self.least >= -slack and self.most <= self.highest + slack


@dataclass(frozen=True, slots=True)
class Sample:
    """``n`` pairs whose ratio of means is bounded: ``0 ≤ amount ≤ highest · weight`` and ``weight ≤ heaviest``.

    Attributes:
        amount: ``[n]``.
        weight: ``[n]``, positive; all 1 where the ratio is a mean.
        highest: infinite where it is not known, or steps were seen that do not keep to it.
        heaviest: the greatest weight that could occur.
    """

    amount: np.ndarray
    weight: np.ndarray
    highest: float
    heaviest: float

    @classmethod
    def of(cls, constraint: Constraint, spending: Spending) -> Sample:
        """The pairs whose ratio of means the constraint's budget limits."""
        one, steps = np.ones(len(spending.cost)), spending.max_episode_steps
        highest = spending.highest if spending.in_range else math.inf
        match constraint.unit:
            case "step":
                return cls(spending.cost, spending.length.astype(np.float64), highest, float(steps))
            case "discounted":
                worth = math.fsum(spending.gamma**t for t in range(steps))
                return cls(spending.discounted, one, highest * worth, 1.0)
            case "probability":
                exceeds = np.where(np.isnan(spending.cost), np.nan, spending.cost > constraint.limit)
                return cls(exceeds, one, 1.0, 1.0)
            case _:
                return cls(spending.cost, one, highest * steps, 1.0)

    @property
    def mean(self) -> float:
        """The ratio of the sums."""
        return float(self.amount.sum() / self.weight.sum())

    @property
    def residual(self) -> np.ndarray:
        """How far each pair lies from the ratio, in its unit, ``[n]``."""
        residual: np.ndarray = (self.amount - self.mean * self.weight) / self.weight.mean()
        size = np.abs(self.amount).max() / self.weight.mean()
        return np.where(np.abs(residual) <= ROUNDING * size, 0.0, residual)

    @property
    def error(self) -> float:
        """The standard error of the ratio, by the delta method; of one pair alone it is infinite.

        With all weights 1 it is ``s / √n``.
        """
        count = len(self.amount)
        if count < 2:
            return math.inf
        scaled, exponent = self._scaled
        return float(np.ldexp(np.sqrt((scaled**2).sum() / (count - 1) / count), exponent))

    @property
    def skewness(self) -> float:
        """The third moment of the residuals over the third power of their deviation; 0 where they have none."""
        residual, _ = self._scaled
        deviation = float(np.sqrt((residual**2).mean()))
        return float((residual**3).mean()) / deviation**3 if deviation > 0.0 else 0.0

    @property
    def _scaled(self) -> tuple[np.ndarray, int]:
        """The residuals over a power of two, at most 1, and its exponent: cubes of the largest numbers are none."""
        residual = self.residual
        _, exponent = np.frexp(np.abs(residual).max())
        return np.ldexp(residual, -exponent), int(exponent)
