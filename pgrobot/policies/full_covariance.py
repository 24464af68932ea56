"""A Gaussian policy that explores actuators together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from pgrobot.distributions import FullCovarianceGaussian
from pgrobot.mlp import Block, Norm
from pgrobot.policies.diagonal import DiagonalPolicy
from pgrobot.ranges import ascending, layers, positive


class FullCovariancePolicy(DiagonalPolicy):
    """The diagonal Gaussian with learnt correlations between its actions; see ``DiagonalPolicy`` for its arguments.

    The Cholesky factor is ``diag(std) C``, where the rows of the lower triangular ``C`` have length one: ``C Cᵀ`` is
    the correlation matrix, and the deviations keep their meaning and bounds. It starts as the identity.
    """

    below: Tensor

    def __init__(
        self,
        observation: Mapping[str, int],
        actions: int,
        hidden: Annotated[Sequence[int], layers],
        activation: str,
        log_std: float,
        log_std_bounds: Annotated[tuple[float, float], ascending("[-4,1]")],
        observation_clip: Annotated[float, positive],
        generator: torch.Generator,
        block: Block = "plain",
        norm: Norm = "none",
        observation_memory: Annotated[float, positive] = math.inf,
    ) -> None:
        super().__init__(
            observation,
            actions,
            hidden,
            activation,
            log_std,
            log_std_bounds,
            observation_clip,
            generator,
            block,
            norm,
            observation_memory,
        )
        self.register_buffer("below", torch.tril_indices(actions, actions, -1), persistent=False)
        self.correlation = nn.Parameter(torch.zeros(self.below.shape[1]))

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[FullCovarianceGaussian, Tensor]:
        del episode_start
        gaussian = self.gaussian(obs)
        identity = torch.eye(gaussian.mean.shape[-1], dtype=gaussian.mean.dtype)
        rows = identity.index_put(tuple(self.below), self.correlation)
        cholesky = gaussian.std.unsqueeze(-1) * normalize(rows, dim=-1)
        return FullCovarianceGaussian(gaussian.mean, cholesky), carry
