"""A Gaussian policy whose mean is a multilayer perceptron and whose deviation does not depend on the state."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from pgrobot.distributions import Gaussian
from pgrobot.policies.diagonal import DiagonalPolicy


class GaussianPolicy(DiagonalPolicy):
    """The diagonal Gaussian itself; see ``DiagonalPolicy`` for its arguments."""

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Gaussian, Tensor]:
        del episode_start
        return self.gaussian(obs), carry
