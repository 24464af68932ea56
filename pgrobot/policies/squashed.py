"""A Gaussian policy squashed into the actuators' range."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from pgrobot.distributions import SquashedGaussian
from pgrobot.policies.diagonal import DiagonalPolicy


class SquashedPolicy(DiagonalPolicy):
    """``tanh`` of the diagonal Gaussian; see ``DiagonalPolicy`` for its arguments.

    ``log_std`` is the deviation before squashing.
    """

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[SquashedGaussian, Tensor]:
        del episode_start
        return SquashedGaussian(self.gaussian(obs)), carry
