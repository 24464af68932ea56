"""What a term of the objective is."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.distributions import Distribution


class Objective(Protocol):
    """One named, weighted term. Maximised; pure; scalar."""

    weight: float

    def __call__(self, distribution: Distribution, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the unweighted value, a scalar, and scalar metrics by name."""
        ...
