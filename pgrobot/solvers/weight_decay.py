"""Weights that shrink by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from pgrobot.ranges import at_least
from pgrobot.solvers.transform import Forgetful, Layout, Moments, Place, Transform, entries


@dataclass(frozen=True)
class WeightDecay:
    """Take ``rate · decay`` of the parameters away with every step, beside the gradient's own way.

    Decoupled (AdamW: Loshchilov and Hutter 2019, arXiv 1711.05101): it stands after the optimiser, which does not see
    it, so that parameters with small gradients shrink as fast as others.

    See docs/derivations.md#weight-decay-and-group-rates.

    Attributes:
        decay: at least 0; 0 is bit for bit its absence.
        of: ``matrices``: the weights of layers alone, not biases, normalisations or log-deviations, which are vectors;
            or ``all``.
    """

    place: ClassVar[Place] = "after"
    decay: Annotated[float, at_least(0.0)]
    of: Literal["matrices", "all"]

    def bound(self, layout: Layout, vector: Tensor) -> Transform:
        """The decay of each parameter of the vector ``[P]``."""
        least = 2 if self.of == "matrices" else 0
        return Decayed(entries(layout, vector, lambda _, shape: self.decay if len(shape) >= least else 0.0))


@dataclass(frozen=True)
class Decayed(Forgetful):
    """Weight decay with a factor of its own for every parameter, ``[P]``."""

    decay: Tensor

    def step(self, update: Tensor, moments: Moments, vector: Tensor, rate: Tensor) -> tuple[Tensor, Moments]:
        return torch.where(self.decay == 0.0, update, update + rate * self.decay * vector), moments
