"""What a first-order update rule is."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

Moments = tuple[Tensor, ...]  # whatever the rule remembers between steps


class Optimizer(Protocol):
    """A pure function from a point, what is remembered and a gradient to the next point and memory."""

    def initial(self, vector: Tensor) -> Moments:
        """What is remembered before the first step from ``vector`` ``[P]``."""
        ...

    def step(
        self, vector: Tensor, moments: Moments, gradient: Tensor, rate: Tensor
    ) -> tuple[Tensor, Moments]:
        """Return the next vector ``[P]`` and moments after one step down ``gradient`` ``[P]``."""
        ...

    def rescale(self, moments: Moments, factor: Tensor) -> Moments:
        """What would be remembered if every gradient had been ``factor`` ``[P]`` times what it was."""
        ...
