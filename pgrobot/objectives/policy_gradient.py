"""Surrogates whose gradient at the behaviour policy is the policy gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.distributions import Distribution
from pgrobot.objectives.term import FixedWeight, PolicyAt, probability_ratio
from pgrobot.ranges import above


@dataclass(frozen=True)
class Likelihood(FixedWeight):
    """Log-likelihood times advantage, ``E[log π(a|s) A]`` (Williams 1992): REINFORCE and A2C.

    Its value means nothing; its gradient is the policy gradient as long as π is the policy that acted. It corrects for
    no other: steps after the first on the same batch, or experience of an older policy, need ``Ratio`` or an advantage
    that carries the ratio (``vtrace``).

    See docs/derivations.md#policy-gradient.
    """

    reads_advantage: ClassVar[bool] = True
    multiplies_ratio: ClassVar[bool] = False
    weight: float

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return batch.mean(policy.here.log_prob(batch.action) * batch.advantage), {}


@dataclass(frozen=True)
class Ratio(FixedWeight):
    """The importance-weighted surrogate ``E[ρ A]`` with ``ρ = π(a|s) / μ(a|s)`` (Schulman et al. 2015, eq. 14).

    Unbiased for the actions at any π, for the states only near μ: it wants a solver that bounds the step.

    See docs/derivations.md#surrogates.
    """

    reads_advantage: ClassVar[bool] = True
    multiplies_ratio: ClassVar[bool] = True
    weight: float

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return batch.mean(probability_ratio(policy.here, batch) * batch.advantage), {}


@dataclass(frozen=True)
class ClippedRatio(FixedWeight):
    """PPO's clipped surrogate (Schulman et al. 2017, arXiv 1707.06347, eq. 7).

    ``E[min(ρ A, clip(ρ, 1 − ε, 1 + ε) A)]`` with ``ρ = π(a|s) / μ(a|s)``. A sample whose ratio has left the
    interval in the direction its advantage asks for contributes a gradient of exactly zero.

    See docs/derivations.md#surrogates.
    """

    reads_advantage: ClassVar[bool] = True
    multiplies_ratio: ClassVar[bool] = True
    weight: float
    clip: Annotated[float, above(0.0)]  # ε

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return clipped_surrogate(policy.here, batch, self.clip)


@dataclass(frozen=True)
class DecoupledClippedRatio(FixedWeight):
    """PPO's clipping around an averaged policy instead of the one that acted (Hilton et al. 2021, eq. 3).

    ``E[(π̄ / μ) min(ρ A, clip(ρ, 1 − ε, 1 + ε) A)]`` with ``ρ = π(a|s) / π̄(a|s)``: μ, which acted, weighs the
    sample, and the reference π̄, the policy at the averaged parameters, is what π is kept near. Where the average
    keeps nothing (``average.decay=0``) π̄ is μ, and this is ``ClippedRatio``.

    See docs/derivations.md#surrogates.
    """

    reads_advantage: ClassVar[bool] = True
    multiplies_ratio: ClassVar[bool] = True
    reads_reference: ClassVar[bool] = True
    weight: float
    clip: Annotated[float, above(0.0)]  # ε

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        kept_near = batch.reference.log_prob(batch.action)
        ratio = torch.exp(policy.here.log_prob(batch.action) - kept_near)
        weighed = torch.exp(kept_near - batch.log_prob) * batch.advantage
        return _clipped(ratio, weighed, self.clip, batch), _outside(ratio, self.clip, batch)


def clipped_surrogate(
    distribution: Distribution, batch: Batch, clip: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """``ClippedRatio``'s value and metrics, of a policy's distribution on the batch's rows."""
    ratio = probability_ratio(distribution, batch)
    return _clipped(ratio, batch.advantage, clip, batch), _outside(ratio, clip, batch)


def _clipped(ratio: Tensor, advantage: Tensor, clip: float, batch: Batch) -> Tensor:
    """``E[min(ρ A, clip(ρ) A)]``, a scalar."""
    clipped = ratio.clamp(1.0 - clip, 1.0 + clip)
    return batch.mean(torch.minimum(ratio * advantage, clipped * advantage))


def _outside(ratio: Tensor, clip: float, batch: Batch) -> dict[str, Tensor]:
    """The share of samples whose ratio has left the interval."""
    return {"policy/clip_fraction": batch.mean(((ratio - 1.0).abs() > clip).to(ratio.dtype))}


@dataclass(frozen=True)
class SimplePolicyOptimization(FixedWeight):
    """SPO's quadratic penalty on the ratio (Xie et al. 2024, arXiv 2401.16025).

    ``E[ρ A − |A| (ρ − 1)² / 2ε]``: every sample's optimum is the ratio ``1 + ε sign A``, where PPO's clipping ends, but
    a ratio beyond it is drawn back, where a clipped sample has no gradient.

    See docs/derivations.md#surrogates.
    """

    reads_advantage: ClassVar[bool] = True
    multiplies_ratio: ClassVar[bool] = True
    weight: float
    epsilon: Annotated[float, above(0.0)]  # ε

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        deviation = probability_ratio(policy.here, batch) - 1.0
        penalty = batch.advantage.abs() * deviation.square() / (2.0 * self.epsilon)
        surrogate = batch.mean((deviation + 1.0) * batch.advantage - penalty)
        return surrogate, {"policy/ratio_deviation": batch.mean(deviation.abs())}
