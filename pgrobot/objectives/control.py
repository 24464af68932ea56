"""What a control variate in the action took from the advantages, added back in expectation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.control_variates import expected_features
from pgrobot.objectives.term import FixedWeight, PolicyAt


@dataclass(frozen=True)
class ControlVariate(FixedWeight):
    """``E_s[E_{a∼π}[φ(s, a)]]``, where a baseline has left ``A − φ(s, a)`` of the advantages.

    ``E_μ[ρ (A − φ)] + E_π[φ]`` is ``E_μ[ρ A]`` for every π, and ``E_μ[∇log π (A − φ)] + ∇E_π[φ]`` is ``E_μ[∇log π A]``
    at the policy that acted (Q-Prop: Gu et al. 2017, arXiv 1611.02247). Both halves are in the unit of the same
    advantages: the learner scales them by one factor. Clipping bounds the first half only, so beside a clipped
    surrogate this is exact at the first step and near it.

    See docs/derivations.md#control-variates.

    Attributes:
        weight: the surrogate's.
    """

    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = False
    reads_reference: ClassVar[bool] = True
    adds_control_back: ClassVar[bool] = True
    weight: float

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        width = batch.control.shape[-1]
        if width == 0:
            return batch.advantage.new_zeros(()), {}
        expected = expected_features(policy.here, batch.reference, width)
        return batch.mean((batch.control * expected).sum(-1)), {}
