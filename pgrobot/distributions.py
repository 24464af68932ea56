"""Action distributions: frozen dataclasses of tensors, so they are sliced, stored and compared like a batch.

A distribution is never hidden state of a module: a policy returns one, a batch keeps the one that acted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


class Distribution(Protocol):
    """What a policy returns. Leading dimensions ``…`` are those of the observations."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one action per row, ``[…, A]``."""
        ...

    def log_prob(self, action: Tensor) -> Tensor:
        """Joint log-density of ``action`` ``[…, A]``, summed over action dimensions: ``[…]``."""
        ...

    def entropy(self) -> Tensor:
        """Differential entropy in nats, ``[…]``."""
        ...

    def kl(self, other: Self) -> Tensor:
        """KL(self ‖ other) in nats, ``[…]``."""
        ...

    @property
    def mean(self) -> Tensor:
        """The deterministic action, ``[…, A]``."""
        ...

    @property
    def std(self) -> Tensor:
        """Standard deviation of each action dimension, ``[…, A]``."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """Diagonal Gaussian over actions; ``mean`` and ``log_std`` are ``[…, A]``."""

    mean: Tensor
    log_std: Tensor

    def sample(self, generator: torch.Generator) -> Tensor:
        noise = torch.randn(self.mean.shape, generator=generator, dtype=self.mean.dtype)
        return self.mean + self.std * noise

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
