"""An average of the parameters over updates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from pgrobot.ranges import fading

Averaged = tuple[Tensor, Tensor]  # the average [P] and the sum of its weights, a scalar


@dataclass(frozen=True)
class ExponentialAverage:
    """An exponentially weighted moving average of the parameter vector, free of bias from its start.

    After n steps the vector of k steps ago has the weight ``βᵏ / Σⱼ βʲ``, j from 0 to n − 1.
    As the reference that a policy is kept near, it lies about ``1 / (1 − β)`` updates back: with it the size of the
    batch and the distance of the reference are chosen apart (Hilton, Cobbe and Schulman 2021, arXiv 2110.00641,
    section 3).

    See docs/derivations.md#averaged-reference.

    Attributes:
        decay: β per update, in [0, 1); 0 is the last vector itself.
    """

    decay: Annotated[float, fading]

    def initial(self, vector: Tensor) -> Averaged:
        """The average of no vector yet, with ``vector`` ``[P]`` in its place, in storage of its own."""
        return vector.clone(), torch.zeros((), dtype=vector.dtype)

    def step(self, averaged: Averaged, vector: Tensor) -> Averaged:
        """Return the average with one vector more, the latest, ``[P]``."""
        average, weight = averaged
        past = self.decay * weight
        weight = past + 1.0
        return vector + (past / weight) * (average - vector), weight
