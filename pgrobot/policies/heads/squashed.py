"""The Gaussian squashed into the actuators' range."""

from __future__ import annotations

from torch import Tensor

from pgrobot.distributions import SquashedGaussian
from pgrobot.policies.heads.diagonal import DiagonalHead


class SquashedHead(DiagonalHead):
    """``tanh`` of the diagonal Gaussian; see ``DiagonalHead`` for its arguments.

    ``log_std`` is the deviation before squashing.
    """

    def forward(
        self, numbers: Tensor, seen: Tensor, carry: Tensor, episode_start: Tensor
    ) -> tuple[SquashedGaussian, Tensor]:
        del seen, episode_start
        return SquashedGaussian(self.gaussian(numbers)), carry
