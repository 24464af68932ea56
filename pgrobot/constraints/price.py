"""How prices act: one scale for every unit of budget, and one way to fold priced costs into the advantage."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pgrobot.constraints.budgets import Constraint
from pgrobot.errors import PgrobotError
from pgrobot.types import Metrics


class Pricing:
    """Prices of ``K`` constraints, on a scale that does not depend on the unit of their budgets.

    A multiplier moves on the *rate*: the excess divided by the steps that the unit adds up, so cost per step.
    Those are the ``L`` steps of the longest episode for ``episode``, ``(1 − γ^L)/(1 − γ)`` for ``discounted``
    and 1 for ``step`` and ``probability``. A multiplier of 1 gives up one unit of reward to save one unit of
    cost; an episode that exceeds its limit (``probability``) counts like one that costs 1 in each of its ``L``
    steps. One set of gains therefore serves every unit and budget, for costs of the order of one per step.

    See docs/derivations.md#multipliers.

    Args:
        constraints: the priced constraints.
        columns: the advantage's columns; those not named ``cost/…`` are gains.
        gamma: the discount of unit ``discounted``.
        max_episode_steps: ``L``.

    Raises:
        PgrobotError: a constraint without a column.
    """

    def __init__(
        self, constraints: Sequence[Constraint], columns: Sequence[str], gamma: float, max_episode_steps: int
    ) -> None:
        missing = [c.name for c in constraints if f"cost/{c.name}" not in columns]
        if missing:
            raise PgrobotError(f"constraint {missing[0]!r} has no column among {', '.join(columns)}")
        self.names = tuple(c.name for c in constraints)
        self._gains = [i for i, column in enumerate(columns) if not column.startswith("cost/")]
        self._costs = [columns.index(f"cost/{name}") for name in self.names]
        length = float(max_episode_steps)
        added_up = {
            "episode": length,
            "discounted": sum(gamma**t for t in range(max_episode_steps)),
            "step": 1.0,
            "probability": 1.0,
        }
        self._added_up = torch.tensor([added_up[c.unit] for c in constraints], dtype=torch.float64)
        self._worth = torch.tensor(
            [length if c.unit == "probability" else 1.0 for c in constraints], dtype=torch.float64
        )

    def rate(self, excess: Tensor) -> Tensor:
        """The excess ``[K]`` in the budgets' units as cost per step, float64."""
        return excess.detach().to("cpu", torch.float64) / self._added_up

    def gain(self, advantage: Tensor) -> Tensor:
        """Reward and bonuses of ``[..., C]`` added up, ``[...]``."""
        return advantage[..., self._gains].sum(dim=-1)

    def mix(self, advantage: Tensor, multiplier: Tensor) -> Tensor:
        """``(gain − Σ λ·centred cost) / (1 + Σ λ)`` of the columns ``[..., C]``, ``[...]``.

        The costs are centred, as by any baseline, but never divided by their deviation, which would make the
        price depend on how often the cost occurs.
        """
        price = (multiplier * self._worth).to(advantage)
        cost = advantage[..., self._costs]
        centred = cost - cost.mean(dim=tuple(range(cost.dim() - 1)))
        return (self.gain(advantage) - centred @ price) / (1.0 + price.sum())

    def metrics(self, multiplier: Tensor) -> Metrics:
        values = zip(self.names, multiplier.tolist(), strict=True)
        return {f"multiplier/{name}": value for name, value in values}


def start(initial: float, maximum: float, count: int) -> Tensor:
    """``count`` multipliers at ``initial``, float64.

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
