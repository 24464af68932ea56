"""The diagonal Gaussian."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Gaussian:
    """Diagonal Gaussian over actions; ``mean`` and ``log_std`` are ``[…, A]``.

    See docs/derivations.md#diagonal-gaussian.
    """

    mean: Tensor
    log_std: Tensor

    def sample(self, generator: torch.Generator) -> Tensor:
        noise = torch.randn(
            self.mean.shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device
        )
        return self.from_noise(noise)

    def from_noise(self, noise: Tensor) -> Tensor:
        return self.mean + self.std * noise

    def shifted(self, by: Tensor) -> Self:
        return replace(self, mean=self.mean + by)

    @property
    def deterministic(self) -> Tensor:
        return self.mean

    @property
    def std(self) -> Tensor:
        return self.log_std.exp()

    def log_prob(self, action: Tensor) -> Tensor:
        standardised = (action - self.mean) * torch.exp(-self.log_std)
        return (-0.5 * standardised.square() - self.log_std - _HALF_LOG_TWO_PI).sum(-1)

    def entropy(self) -> Tensor:
        return (self.log_std + 0.5 + _HALF_LOG_TWO_PI).sum(-1)

    def kl(self, other: Self) -> Tensor:
        ratio = torch.exp(2.0 * (self.log_std - other.log_std))
        distance = ((self.mean - other.mean) * torch.exp(-other.log_std)).square()
        return (other.log_std - self.log_std + 0.5 * (ratio + distance - 1.0)).sum(-1)


pytree.register_dataclass(Gaussian)
