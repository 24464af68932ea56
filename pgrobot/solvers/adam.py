"""Adam on a flat vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from pgrobot.ranges import above, fading
from pgrobot.solvers.transform import Moments, Place, Uniform


@dataclass(frozen=True)
class Adam(Uniform):
    """Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1).

    See docs/derivations.md#adam.
    """

    place: ClassVar[Place] = "optimizer"
    beta1: Annotated[float, fading]
    beta2: Annotated[float, fading]
    epsilon: Annotated[float, above(0.0)]

    def initial(self, vector: Tensor) -> Moments:
        """First moment ``[P]``, second moment ``[P]`` and the number of steps taken."""
        return torch.zeros_like(vector), torch.zeros_like(vector), torch.zeros((), dtype=vector.dtype)

    def step(self, update: Tensor, moments: Moments, vector: Tensor, rate: Tensor) -> tuple[Tensor, Moments]:
        first, second, count = moments
        count = count + 1.0
        first = self.beta1 * first + (1.0 - self.beta1) * update
        second = self.beta2 * second + (1.0 - self.beta2) * update.square()
        unbiased_first = first / (1.0 - self.beta1**count)
        unbiased_second = second / (1.0 - self.beta2**count)
        return rate * unbiased_first / (unbiased_second.sqrt() + self.epsilon), (first, second, count)

    def rescale(self, moments: Moments, factor: Tensor) -> Moments:
        """The moments of gradients ``factor`` ``[P]`` times as large."""
        first, second, count = moments
        return first * factor, second * factor.square(), count
