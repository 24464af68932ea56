"""A bound on the length of an update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from pgrobot.ranges import positive
from pgrobot.solvers.transform import Forgetful, Moments, Place, Uniform


@dataclass(frozen=True)
class ClipByGlobalNorm(Forgetful, Uniform):
    """Shorten an update to ``max_norm``, as ``torch.nn.utils.clip_grad_norm_`` does; never turn it.

    See docs/derivations.md#first-order-steps.

    Attributes:
        max_norm: of all parameters together; infinity: no bound.
    """

    place: ClassVar[Place] = "anywhere"
    max_norm: Annotated[float, positive]

    def step(self, update: Tensor, moments: Moments, vector: Tensor, rate: Tensor) -> tuple[Tensor, Moments]:
        norm = torch.linalg.vector_norm(update)
        return update * (self.max_norm / (norm + 1e-6)).clamp(max=1.0), moments
