"""The entropy bonus (Williams and Peng 1991)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.distributions import Distribution


@dataclass(frozen=True)
class Entropy:
    """Mean differential entropy in nats: summed over action dimensions, averaged over steps."""

    weight: float

    def __call__(self, distribution: Distribution, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        del batch
        entropy = distribution.entropy().mean()
        return entropy, {"policy/entropy": entropy}
