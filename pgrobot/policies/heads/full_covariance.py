"""A Gaussian that explores actuators together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from pgrobot.distributions import FullCovarianceGaussian
from pgrobot.policies.heads.diagonal import DiagonalHead
from pgrobot.policies.heads.head import Head
from pgrobot.ranges import ascending
from pgrobot.types import Action


class FullCovarianceHead(DiagonalHead):
    """The diagonal Gaussian with learnt correlations between its actions; see ``DiagonalHead`` for its arguments.

    The Cholesky factor is ``diag(std) C``, where the rows of the lower triangular ``C`` have length one: ``C Cᵀ`` is
    the correlation matrix, and the deviations keep their meaning and bounds. It starts as the identity.
    """

    below: Tensor

    def __init__(
        self,
        actions: Sequence[Action],
        log_std: float,
        log_std_bounds: Annotated[tuple[float, float], ascending("[-4,1]")],
    ) -> None:
        super().__init__(actions, log_std, log_std_bounds)
        self.register_buffer(
            "below", torch.tril_indices(self.action_size, self.action_size, -1), persistent=False
        )
        self.correlation = nn.Parameter(torch.zeros(self.below.shape[1]))

    def rows(self) -> Tensor:
        return Head.rows(self)  # a correlation is about two actions

    def forward(
        self, numbers: Tensor, seen: Tensor, carry: Tensor, episode_start: Tensor
    ) -> tuple[FullCovarianceGaussian, Tensor]:
        del seen, episode_start
        gaussian = self.gaussian(numbers)
        identity = torch.eye(gaussian.mean.shape[-1], dtype=gaussian.mean.dtype)
        rows = identity.index_put(tuple(self.below), self.correlation)
        cholesky = gaussian.std.unsqueeze(-1) * normalize(rows, dim=-1)
        return FullCovarianceGaussian(gaussian.mean, cholesky), carry
