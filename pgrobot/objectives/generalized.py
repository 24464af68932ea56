"""A clipped surrogate for experience of several policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.objectives.term import FixedWeight, PolicyAt, probability_ratio
from pgrobot.ranges import above


@dataclass(frozen=True)
class GeneralizedClippedRatio(FixedWeight):
    """GePPO's clipped surrogate (Queeney et al. 2021, arXiv 2111.00072, eq. 8).

    ``E[min(ρ A, clip(ρ, c − ε, c + ε) A)]`` with ``ρ = π(a|s) / μ(a|s)``, μ the policy that acted, which may be an
    older one, and ``c`` the same ratio of the reference, from which the update begins. PPO clips around 1, where a
    sample of an older policy may have no gradient from the start. The expectation of ``|ρ − c| / 2`` is the total
    variation between the policy and the reference.

    On the reference's own samples c is 1, and this is ``ClippedRatio``.

    See docs/derivations.md#past-experience.

    Attributes:
        weight: of the whole.
        clip: ε.
    """

    reads_advantage: ClassVar[bool] = True
    multiplies_ratio: ClassVar[bool] = True
    reads_reference: ClassVar[bool] = True
    reports: ClassVar[tuple[str, ...]] = ("policy/total_variation",)
    weight: float
    clip: Annotated[float, above(0.0)]

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        ratio, center = (probability_ratio(p, batch) for p in (policy.here, batch.reference))
        clipped = ratio.clamp(center - self.clip, center + self.clip)
        surrogate = batch.mean(torch.minimum(ratio * batch.advantage, clipped * batch.advantage))
        moved = (ratio - center).abs()
        share = lambda beyond: batch.mean(beyond.to(ratio.dtype))
        return surrogate, {
            "policy/clip_fraction": share(moved > self.clip),
            "policy/off_center": share((center - 1.0).abs() > self.clip),
            "policy/total_variation": 0.5 * batch.mean(moved),
        }
