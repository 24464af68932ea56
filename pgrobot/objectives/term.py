"""What a term of the objective is."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.distributions import Distribution


class Objective(Protocol):
    """One named, weighted term. Maximised; pure; scalar."""

    @property
    def weight(self) -> float:
        """The weight in the sum of the terms; the initial one where it adapts."""
        ...

    def __call__(self, distribution: Distribution, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the unweighted value, a scalar, and scalar metrics by name."""
        ...

    def adapt(self, weight: float, kl: float) -> float:
        """The weight that follows ``weight`` after an update that moved the policy by ``kl`` nats; pure as well."""
        ...


class FixedWeight:
    """For terms whose weight stays what it is."""

    def adapt(self, weight: float, kl: float) -> float:
        del kl
        return weight


def probability_ratio(distribution: Distribution, batch: Batch) -> Tensor:
    """``ρ = π(a|s) / μ(a|s)`` of the joint actions taken, against the policy that acted: ``[…]``."""
    return torch.exp(distribution.log_prob(batch.action) - batch.log_prob)
