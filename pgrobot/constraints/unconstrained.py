"""No prices: costs are measured and reported, and nothing is done about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from pgrobot.constraints.budgets import Constraint
from pgrobot.constraints.price import Pricing
from pgrobot.types import Metrics, State


class Unconstrained:
    """Multipliers that stay at zero. Arguments as of ``Pricing``."""

    prices: ClassVar[bool] = False

    def __init__(self, constraints: Sequence[Constraint], columns: Sequence[str]) -> None:
        self._pricing = Pricing(constraints, columns)

    def update(self, excess: Tensor, length: float, reward: Tensor) -> Metrics:
        del length, reward
        return self._pricing.metrics(0.0 * excess)

    def mix(self, advantage: Tensor) -> Tensor:
        return self._pricing.gain(advantage)

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        del state
