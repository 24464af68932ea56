"""Stochastic gradient descent on a flat vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from pgrobot.ranges import fading
from pgrobot.solvers.transform import Moments, Place, Uniform


@dataclass(frozen=True)
class SGD(Uniform):
    """Gradient descent with heavy-ball momentum (Polyak 1964): ``m ← μ m + g``, ``θ ← θ − rate · m``.

    See docs/derivations.md#rmsprop-and-sgd.

    Attributes:
        momentum: μ in [0, 1); 0 is plain gradient descent.
    """

    place: ClassVar[Place] = "optimizer"
    momentum: Annotated[float, fading]

    def initial(self, vector: Tensor) -> Moments:
        """The velocity ``[P]``."""
        return (torch.zeros_like(vector),)

    def step(self, update: Tensor, moments: Moments, vector: Tensor, rate: Tensor) -> tuple[Tensor, Moments]:
        (velocity,) = moments
        velocity = self.momentum * velocity + update
        return rate * velocity, (velocity,)

    def rescale(self, moments: Moments, factor: Tensor) -> Moments:
        """The moments of gradients ``factor`` ``[P]`` times as large."""
        (velocity,) = moments
        return (velocity * factor,)
