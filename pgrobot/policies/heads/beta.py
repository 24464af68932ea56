"""A policy that ends where the actuators end: a Beta distribution over their range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from pgrobot.distributions import Beta
from pgrobot.errors import PgrobotError
from pgrobot.policies.bounds import SoftBounds
from pgrobot.policies.heads.head import Head, numbers_of
from pgrobot.ranges import ascending
from pgrobot.types import Action


class BetaHead(Head):
    """Independent Beta variables on [−1, 1] (Chou, Maturana and Scherer 2017): no probability is clipped away.

    α and β are ``low + softplus(·)`` of two numbers of the network from ``concentration`` on, and go on straight below
    it, where the slope of softplus would vanish; ``SoftBounds`` bend them between ``low`` and ``high``.

    Args:
        actions: what is drawn, ``A`` real numbers.
        concentration: α and β that every state starts near; 1.5 is a deviation of half the actuator's half-range.
        concentration_bounds: ``low`` and ``high``; one and above has a single mode.

    Raises:
        PgrobotError: one of the actions is a choice, the concentration lies outside its bounds, or those begin below
            one.
    """

    def __init__(
        self,
        actions: Sequence[Action],
        concentration: float,
        concentration_bounds: Annotated[tuple[float, float], ascending("[1,1000]")],
    ) -> None:
        super().__init__()
        low, high = concentration_bounds
        if low < 1.0:
            raise PgrobotError(f"policy.head.concentration_bounds begin at {low}, which is less than 1")
        if not low < concentration < high:
            raise PgrobotError(
                f"policy.head.concentration is {concentration}, "
                f"which does not lie inside policy.head.concentration_bounds [{low}, {high}]"
            )
        self.action_size = numbers_of(actions)
        self.outputs = 2 * self.action_size
        self.low = low
        self.bounds = SoftBounds(concentration, low, high)
        self.start = math.log(math.expm1(concentration - low))  # the number that says the concentration
        self.slope = -math.expm1(low - concentration)  # of softplus there
        self.concentration = concentration

    def begin(self, output: nn.Linear) -> None:
        nn.init.constant_(output.bias, self.start)

    def rows(self) -> Tensor:
        return torch.arange(self.outputs).view(2, -1).T

    def forward(
        self, numbers: Tensor, seen: Tensor, carry: Tensor, episode_start: Tensor
    ) -> tuple[Beta, Tensor]:
        del seen, episode_start
        beyond = numbers - self.start
        straight = self.concentration + self.slope * beyond
        alpha, beta = self.bounds(torch.where(beyond > 0.0, self.low + softplus(numbers), straight)).chunk(
            2, -1
        )
        return Beta(alpha, beta), carry
