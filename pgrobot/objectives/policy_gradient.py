"""Surrogates whose gradient at the behaviour policy is the policy gradient."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.distributions import Distribution


@dataclass(frozen=True)
class ClippedRatio:
    """PPO's clipped surrogate (Schulman et al. 2017, arXiv 1707.06347, eq. 7).

    ``E[min(ρ A, clip(ρ, 1 − ε, 1 + ε) A)]`` with ``ρ = π(a|s) / μ(a|s)``. A sample whose ratio has left the
    interval in the direction its advantage asks for contributes a gradient of exactly zero.
    """

    weight: float
    clip: float  # ε

    def __call__(self, distribution: Distribution, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        ratio = torch.exp(distribution.log_prob(batch.action) - batch.log_prob)
        clipped = ratio.clamp(1.0 - self.clip, 1.0 + self.clip)
        surrogate = torch.minimum(ratio * batch.advantage, clipped * batch.advantage).mean()
        outside = ((ratio - 1.0).abs() > self.clip).to(ratio.dtype).mean()
        return surrogate, {"policy/clip_fraction": outside}
