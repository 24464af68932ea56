"""The Gaussian whose action dimensions are correlated."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.utils import _pytree as pytree


@dataclass(frozen=True)
class FullCovarianceGaussian:
    """Gaussian with covariance ``L Lᵀ``: ``mean`` is ``[…, A]``, ``cholesky`` ``[…, A, A]``.

    ``cholesky`` is lower triangular with a positive diagonal; what lies above the diagonal is not read.

    See docs/derivations.md#full-covariance.
    """

    mean: Tensor
    cholesky: Tensor

    def sample(self, generator: torch.Generator) -> Tensor:
        noise = torch.randn(
            self.mean.shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device
        )
        return self.from_noise(noise)

    def from_noise(self, noise: Tensor) -> Tensor:
        return self.mean + (self.cholesky.tril() @ noise.unsqueeze(-1)).squeeze(-1)

    def shifted(self, by: Tensor) -> Self:
        return replace(self, mean=self.mean + by)

    @property
    def deterministic(self) -> Tensor:
        return self.mean

    @property
    def std(self) -> Tensor:
        return torch.linalg.vector_norm(self.cholesky.tril(), dim=-1)

    def log_prob(self, action: Tensor) -> Tensor:
        distance = self._whitened((action - self.mean).unsqueeze(-1)).squeeze(-1).square()
        return -0.5 * (distance + math.log(2.0 * math.pi)).sum(-1) - self._log_volume()

    def entropy(self) -> Tensor:
        return 0.5 * self.mean.shape[-1] * (1.0 + math.log(2.0 * math.pi)) + self._log_volume()

    def kl(self, other: Self) -> Tensor:
        ratio = other._whitened(self.cholesky.tril()).square().sum((-2, -1))
        distance = other._whitened((self.mean - other.mean).unsqueeze(-1)).square().sum((-2, -1))
        volume = other._log_volume() - self._log_volume()
        return volume + 0.5 * (ratio + distance - self.mean.shape[-1])

    def _whitened(self, columns: Tensor) -> Tensor:
        """``L⁻¹`` times ``columns`` ``[…, A, *]``."""
        return torch.linalg.solve_triangular(self.cholesky, columns, upper=False)

    def _log_volume(self) -> Tensor:
        """``log det L``, ``[…]``."""
        identity = torch.eye(self.mean.shape[-1], dtype=self.mean.dtype, device=self.mean.device)
        return (self.cholesky * identity).sum(-1).log().sum(-1)


pytree.register_dataclass(FullCovarianceGaussian)
