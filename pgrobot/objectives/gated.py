"""A surrogate that is kept near the reference policy state by state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.objectives.term import FixedWeight, PolicyAt, probability_ratio
from pgrobot.ranges import above, positive


@dataclass(frozen=True)
class GatedRatio(FixedWeight):
    """FOCOPS' objective (Zhang, Vuong and Ross 2020, arXiv 2002.06506), with the priced costs in the advantage.

    ``E[1{KL(π ‖ μ̄) ≤ δ} (ρ A − λ KL(π ‖ μ̄))]``, the divergence and its bound state by state and μ̄ the reference
    policy. Without the indicator its optimum is ``π ∝ μ exp(A / λ)``; a state in which the policy has gone farther
    than δ has no gradient, and waits for the others. It is the paper's loss times ``−λ``.

    See docs/derivations.md#gated-ratio.

    Attributes:
        weight: of the whole.
        temperature: λ, in the unit of the advantage per nat.
        bound: δ in nats; infinity: none.
    """

    reads_advantage: ClassVar[bool] = True
    multiplies_ratio: ClassVar[bool] = True
    reads_reference: ClassVar[bool] = True
    weight: float
    temperature: Annotated[float, above(0.0)]
    bound: Annotated[float, positive]

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        distance = policy.here.kl(batch.reference)
        gain = probability_ratio(policy.here, batch) * batch.advantage - self.temperature * distance
        near = (distance <= self.bound).to(gain.dtype)
        return batch.mean(torch.where(near > 0.0, gain, 0.0)), {"policy/gated": 1.0 - batch.mean(near)}
