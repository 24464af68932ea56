"""Switching between the reward and the cost that is violated most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from pgrobot.constraints.budgets import Constraint
from pgrobot.constraints.price import Pricing, check_gain
from pgrobot.types import Metrics, State


class Switching:
    """The reward's advantage while every budget is kept, else minus that of the cost violated most (Xu et al. 2021).

    Nothing is remembered and nothing has to be tuned but the tolerance: each rollout decides anew whom the policy is
    moved for. Violations of several budgets are compared as rates, those of ``Pricing``: cost per step too much.

    See docs/derivations.md#switching.

    Args:
        constraints, columns: as of ``Pricing``.
        tolerance: the rate up to which a budget counts as kept.

    Raises:
        PgrobotError: a tolerance that is no finite number of at least 0.
    """

    prices: ClassVar[bool] = True
    makes: ClassVar[str] = "crpo"

    def __init__(self, constraints: Sequence[Constraint], columns: Sequence[str], tolerance: float) -> None:
        check_gain("tolerance", tolerance)
        self._pricing = Pricing(constraints, columns)
        self._costs = [columns.index(f"cost/{name}") for name in self._pricing.names]
        self._tolerance = tolerance
        self._violated = -1  # the number of the constraint that is descended; −1: the reward is climbed

    def update(self, excess: Tensor, length: float, reward: Tensor) -> Metrics:
        rate = self._pricing.rate(excess, length, reward)
        beyond = bool((rate > self._tolerance).any())
        self._violated = int(rate.argmax()) if beyond else -1
        return {f"switch/{name}": float(k == self._violated) for k, name in enumerate(self._pricing.names)}

    def mix(self, advantage: Tensor) -> Tensor:
        if self._violated < 0:
            return self._pricing.gain(advantage)
        cost = advantage[..., self._costs[self._violated]]
        return cost.mean() - cost

    def state_dict(self) -> State:
        return {"violated": self._violated, "pricing": self._pricing.state_dict()}

    def load_state_dict(self, state: State) -> None:
        self._violated = state["violated"]
        self._pricing.load_state_dict(state["pricing"])
