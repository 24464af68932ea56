"""A Gaussian that knows where to be careful: its deviation depends on the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from pgrobot.distributions import Gaussian
from pgrobot.policies.bounds import SoftBounds
from pgrobot.policies.heads.diagonal import checked_bounds
from pgrobot.policies.heads.head import Head, numbers_of
from pgrobot.ranges import ascending
from pgrobot.types import Action


class StateStdHead(Head):
    """Diagonal Gaussian whose mean and log-deviation are both what the network says.

    See docs/derivations.md#state-dependent-deviation.

    Args:
        actions: what is drawn, ``A`` real numbers.
        log_std: log-deviation that every state starts near, in policy units.
        log_std_bounds: least and greatest log-deviation, approached and never reached: see ``SoftBounds``.

    Raises:
        PgrobotError: one of the actions is a choice, or the initial log-deviation lies outside its bounds.
    """

    def __init__(
        self,
        actions: Sequence[Action],
        log_std: float,
        log_std_bounds: Annotated[tuple[float, float], ascending("[-4,1]")],
    ) -> None:
        super().__init__()
        self.action_size = numbers_of(actions)
        self.outputs = 2 * self.action_size
        self.bounds = SoftBounds(log_std, *checked_bounds(log_std, log_std_bounds))
        self.log_std = log_std

    @torch.no_grad()
    def begin(self, output: nn.Linear) -> None:
        output.bias[self.action_size :] = self.log_std

    def rows(self) -> Tensor:
        return torch.arange(self.outputs).view(2, -1).T

    def forward(
        self, numbers: Tensor, seen: Tensor, carry: Tensor, episode_start: Tensor
    ) -> tuple[Gaussian, Tensor]:
        del seen, episode_start
        mean, log_std = numbers.chunk(2, -1)
        return Gaussian(mean, self.bounds(log_std)), carry
