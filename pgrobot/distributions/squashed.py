"""The Gaussian squashed into an actuator's range.

The map from the Gaussian's variable to the action is ``tanh`` up to ±5 and continues there along its tangent: a
one-to-one map of the whole line, so that an action gives back the variable it came from, to about 4e-4 in single
precision. Log-probabilities, ratios and scores are then exact at every action that can be drawn. Inverting ``tanh``
alone, every action that rounds to ±1 would have to be clipped, and the score would no longer average to zero. The
action differs from ``tanh`` by less than 1e-4 of the actuator's half-range, once it is clipped to that like any other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import softplus
from torch.utils import _pytree as pytree

from pgrobot.distributions.gaussian import Gaussian

# What single precision loses of the variable there is about what the tangent differs from tanh.
_KNEE = 5.0
_EDGE = math.tanh(_KNEE)
_SLOPE = 1.0 - _EDGE**2

# Nodes of the rectangle rule over ±6 deviations. Under a Gaussian weight it converges geometrically for analytic
# functions (Trefethen and Weideman 2014), and for deviations above one far faster than Gauss–Hermite nodes, which
# reach out where nothing happens while the poles of tanh, at ±iπ/2, come close.
_REACH, _NODES = 6.0, 49


def squash(variable: Tensor) -> Tensor:
    """Map the line onto itself, and ±5 to ±0.9999: ``tanh``, then its tangent."""
    inner = variable.clamp(-_KNEE, _KNEE)
    return inner.tanh() + _SLOPE * (variable - inner)


def unsquash(action: Tensor) -> Tensor:
    """Invert ``squash``."""
    inner = action.clamp(-_EDGE, _EDGE)
    return inner.atanh() + (action - inner) / _SLOPE


def log_slope(variable: Tensor) -> Tensor:
    """Logarithm of the derivative of ``squash``."""
    return _log_slope_of_tanh(variable.clamp(-_KNEE, _KNEE))


def _log_slope_of_tanh(variable: Tensor) -> Tensor:
    """``log(1 − tanh²)`` without its cancellation."""
    return 2.0 * (math.log(2.0) - variable - softplus(-2.0 * variable))


def _expected_excess(mean: Tensor, std: Tensor) -> Tensor:
    """``E[max(x, 0)]`` of a Gaussian."""
    ratio = mean / std
    density = torch.exp(-0.5 * ratio.square()) / math.sqrt(2.0 * math.pi)
    return mean * torch.special.ndtr(ratio) + std * density


@dataclass(frozen=True)
class SquashedGaussian:
    """``squash`` of a diagonal Gaussian ``base``.

    The KL divergence is the base's, for both variables went through the same one-to-one map. The entropy,
    ``H(base) + E[log squash′]``, and the moments have no closed form: they are integrated per dimension by a fixed
    rule, which is deterministic, differentiable and, for deviations up to e, right to 1e-4.

    See docs/derivations.md#squashed-gaussian.
    """

    base: Gaussian

    def sample(self, generator: torch.Generator) -> Tensor:
        return squash(self.base.sample(generator))

    def from_noise(self, noise: Tensor) -> Tensor:
        return squash(self.base.from_noise(noise))

    def log_prob(self, action: Tensor) -> Tensor:
        variable = unsquash(action)
        return self.base.log_prob(variable) - log_slope(variable).sum(-1)

    def entropy(self) -> Tensor:
        # The tangents fall less steeply than tanh does. The rule would lose two digits at the knees, so what they
        # add to tanh, 2 (|u| − 5) up to 1e-4, is integrated in closed form.
        variable, weight = self._nodes()
        mean, std = self.base.mean, self.base.std
        tangents = _expected_excess(mean - _KNEE, std) + _expected_excess(-mean - _KNEE, std)
        return self.base.entropy() + (_log_slope_of_tanh(variable) @ weight + 2.0 * tangents).sum(-1)

    def kl(self, other: Self) -> Tensor:
        return self.base.kl(other.base)

    @property
    def mean(self) -> Tensor:
        variable, weight = self._nodes()
        return squash(variable) @ weight

    @property
    def deterministic(self) -> Tensor:
        return self.mean

    @property
    def std(self) -> Tensor:
        variable, weight = self._nodes()
        action = squash(variable)
        centred = action - (action @ weight).unsqueeze(-1)
        return (centred.square() @ weight).sqrt()

    def _nodes(self) -> tuple[Tensor, Tensor]:
        """The rule's nodes ``[…, A, Q]`` and weights ``[Q]``."""
        like = self.base.mean
        node = torch.linspace(-_REACH, _REACH, _NODES, dtype=like.dtype, device=like.device)
        weight = torch.softmax(-0.5 * node.square(), 0)
        return like.unsqueeze(-1) + self.base.std.unsqueeze(-1) * node, weight


pytree.register_dataclass(SquashedGaussian)
