"""The entropy bonus (Williams and Peng 1991)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.objectives.term import FixedWeight, PolicyAt, probability_ratio


@dataclass(frozen=True)
class Entropy(FixedWeight):
    """Mean differential entropy in nats: summed over action dimensions, averaged over steps.

    See docs/derivations.md#entropy.
    """

    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = False
    weight: float

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        entropy = batch.mean(policy.here.entropy())
        return entropy, {"policy/entropy": entropy}


@dataclass(frozen=True)
class EstimatedEntropy(FixedWeight):
    """The same from the actions that were taken, for a distribution that knows no closed form.

    ``−E_μ[ρ log π(a|s)]`` with ``ρ = π(a|s) / μ(a|s)``: unbiased for any π, and so is its gradient
    ``−E_μ[ρ (1 + log π) ∇log π]``. The ratio is what carries the change of the distribution that the actions come from:
    the mean of ``−log π`` alone has the right value at μ, but its gradient is ``−E_μ[∇log π]``, which vanishes there.

    See docs/derivations.md#entropy.
    """

    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = False
    weight: float

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        entropy = -batch.mean(probability_ratio(policy.here, batch) * policy.here.log_prob(batch.action))
        return entropy, {"policy/entropy": entropy}
