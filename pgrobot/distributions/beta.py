"""The Beta distribution over an actuator's range (Chou, Maturana and Scherer 2017)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.utils import _pytree as pytree


@dataclass(frozen=True)
class Beta:
    """Independent Beta variables stretched to [−1, 1]; ``alpha`` and ``beta`` are ``[…, A]``, both at least one.

    With both above one there is one mode and the density vanishes at ±1. Actions beyond one rounding error from the
    ends are taken to lie there, where the density is finite.

    The logarithms of the gamma function cancel where the concentration is large; they are taken in double precision.

    See docs/derivations.md#beta.
    """

    alpha: Tensor
    beta: Tensor

    def sample(self, generator: torch.Generator) -> Tensor:
        draw = torch._standard_gamma  # noqa: SLF001 - the only gamma variates that take a generator
        one, other = draw(self.alpha, generator=generator), draw(self.beta, generator=generator)
        return (one - other) / (one + other)

    def log_prob(self, action: Tensor) -> Tensor:
        alpha, beta = self.alpha.double(), self.beta.double()
        least = torch.finfo(action.dtype).eps
        up = (0.5 * (1.0 + action.double())).clamp(least, 1.0 - least)
        density = (alpha - 1.0) * up.log() + (beta - 1.0) * torch.log1p(-up) - _log_beta(alpha, beta)
        return (density - math.log(2.0)).sum(-1).to(self.alpha.dtype)

    def entropy(self) -> Tensor:
        alpha, beta = self.alpha.double(), self.beta.double()
        total = alpha + beta
        entropy = (
            _log_beta(alpha, beta)
            - (alpha - 1.0) * torch.digamma(alpha)
            - (beta - 1.0) * torch.digamma(beta)
            + (total - 2.0) * torch.digamma(total)
        )
        return (entropy + math.log(2.0)).sum(-1).to(self.alpha.dtype)

    def kl(self, other: Self) -> Tensor:
        alpha, beta = self.alpha.double(), self.beta.double()
        more, less = alpha - other.alpha.double(), beta - other.beta.double()
        divergence = (
            _log_beta(other.alpha.double(), other.beta.double())
            - _log_beta(alpha, beta)
            + more * torch.digamma(alpha)
            + less * torch.digamma(beta)
            - (more + less) * torch.digamma(alpha + beta)
        )
        return divergence.sum(-1).to(self.alpha.dtype)

    @property
    def mean(self) -> Tensor:
        return (self.alpha - self.beta) / (self.alpha + self.beta)

    @property
    def deterministic(self) -> Tensor:
        return self.mean

    @property
    def std(self) -> Tensor:
        total = self.alpha + self.beta
        return 2.0 * torch.sqrt(self.alpha * self.beta / (total + 1.0)) / total


def _log_beta(alpha: Tensor, beta: Tensor) -> Tensor:
    return torch.lgamma(alpha) + torch.lgamma(beta) - torch.lgamma(alpha + beta)


pytree.register_dataclass(Beta)
