"""Control variates in the action whose expectation is known: polynomials in the policy's own noise.

With ``z = (a − m) / s``, where ``m`` and ``s`` are mean and deviation of a fixed reference policy at the state, the
features are ``z`` and ``z² − 1``, one of each per action dimension. Under a policy with mean ``μ`` and deviation ``σ``
they have the expectations ``δ = (μ − m) / s`` and ``(σ / s)² + δ² − 1``; under the reference, zero. Of a diagonal
Gaussian they are, up to a factor, the scores of its mean and of its log-deviation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pgrobot.distributions import Distribution, SmoothGaussian


def features(action: Tensor, reference: Distribution) -> Tensor:
    """``[…, 2A]`` at actions ``[…, A]``: the linear ones, then the quadratic ones."""
    mean, std = drawn_moments(reference)
    noise = (action - mean) / std
    return torch.cat((noise, noise.square() - 1.0), -1)


def expected_features(distribution: Distribution, reference: Distribution, width: int) -> Tensor:
    """Expectation of the first ``width`` features under ``distribution``, differentiable in it: ``[…, width]``."""
    (mean, std), (centre, scale) = drawn_moments(distribution), drawn_moments(reference)
    shift = (mean - centre) / scale
    if width <= shift.shape[-1]:  # a deviation may have no derivative, which then must not be asked for
        return shift[..., :width]
    return torch.cat((shift, (std / scale).square() + shift.square() - 1.0), -1)[..., :width]


def drawn_moments(distribution: Distribution) -> tuple[Tensor, Tensor]:
    """Mean and deviation of what is drawn, ``[…, A]``."""
    drawn = drawn_from(distribution)
    return drawn.mean, drawn.std


def drawn_from(distribution: Distribution) -> Distribution:
    """What an action is drawn from: of correlated noise what is known of it, else the distribution itself."""
    return distribution.given if isinstance(distribution, SmoothGaussian) else distribution
