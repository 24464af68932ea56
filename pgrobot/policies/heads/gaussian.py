"""The Gaussian: its mean is what the network says, and its deviation does not depend on the state."""

from __future__ import annotations

from torch import Tensor

from pgrobot.distributions import Gaussian
from pgrobot.policies.heads.diagonal import DiagonalHead


class GaussianHead(DiagonalHead):
    """The diagonal Gaussian itself; see ``DiagonalHead`` for its arguments."""

    def forward(
        self, numbers: Tensor, seen: Tensor, carry: Tensor, episode_start: Tensor
    ) -> tuple[Gaussian, Tensor]:
        del seen, episode_start
        return self.gaussian(numbers), carry
