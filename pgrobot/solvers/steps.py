"""How far to go along a natural gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Protocol

import torch
from torch import Tensor

from pgrobot.ranges import Built
from pgrobot.solvers.rates import Rate


class StepSize(Protocol):
    """A rule for the length of a step; its size is scheduled like a learning rate and kept by the solver."""

    @property
    def schedule(self) -> Rate:
        """How the size changes as training proceeds or as the policy moves."""
        ...

    def multiplier(self, size: float, curvature: Tensor) -> Tensor:
        """What to multiply the direction ``x`` with, a scalar, given ``curvature = xᵀ F x`` in nats."""
        ...

    def radius(self, size: float) -> float:
        """The mean KL that a step may reach, in nats."""
        ...


@dataclass(frozen=True)
class KLRadius:
    """As far as the quadratic model of the mean KL allows: ``√(2δ / xᵀFx)`` (Schulman et al. 2015, appendix C).

    See docs/derivations.md#natural-gradient.

    Attributes:
        kl: the radius δ in nats.
    """

    kl: Annotated[Rate, Built("initial")]

    @property
    def schedule(self) -> Rate:
        return self.kl

    def multiplier(self, size: float, curvature: Tensor) -> Tensor:
        """Zero where the policy does not change along the direction: no multiple of it reaches the radius."""
        return torch.where(curvature > 0.0, (2.0 * size / curvature).sqrt(), 0.0)

    def radius(self, size: float) -> float:
        return size


@dataclass(frozen=True)
class LearningRate:
    """A multiple of the natural gradient itself (Amari 1998; Kakade 2002).

    See docs/derivations.md#natural-gradient.

    Attributes:
        rate: the multiple.
    """

    rate: Annotated[Rate, Built("initial")]

    @property
    def schedule(self) -> Rate:
        return self.rate

    def multiplier(self, size: float, curvature: Tensor) -> Tensor:
        return torch.full_like(curvature, size)

    def radius(self, size: float) -> float:
        del size
        return math.inf
