"""Compatible function approximation: the natural gradient as a least-squares fit of the advantages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.ranges import share
from pgrobot.solvers.fisher import sampled
from pgrobot.solvers.linear import Product, linearise
from pgrobot.solvers.problem import PolicyProblem


@dataclass(frozen=True)
class CompatibleFisher:
    """The covariance of the scores ``∇ log π(a|s)`` over the actions that were taken: the empirical Fisher information.

    The fit of the advantages by the compatible features and an intercept, ``min mean (wᵀ∇log π + c − A)²`` over w and c
    (Sutton et al. 2000; episodic natural actor-critic: Peters and Schaal 2008, table 1), has the normal equations
    ``F̂ w = ĝ`` with exactly this ``F̂`` and the covariance ``ĝ`` of scores and advantages. Where the advantages are
    centred, ``ĝ`` is the gradient of the mean of ``A log π``, and of the mean of ``A π/μ`` at μ: natural gradient with
    this metric and no damping *is* natural actor-critic. Other terms of the objective enter as they do in any
    natural gradient.

    With more parameters than rows the fit interpolates the noise of the advantages; few iterations of conjugate
    gradient keep to the directions along which the scores vary most.

    See docs/derivations.md#compatible-features.

    Attributes:
        fraction: share of the batch's rows to fit to, drawn anew for every solve; 1 uses all and draws nothing. The
            identity needs all of them.
    """

    fraction: Annotated[float, share]

    def __call__(
        self, problem: PolicyProblem, vector: Tensor, batch: Batch, generator: torch.Generator
    ) -> Product:
        rows = sampled(batch, self.fraction, generator)
        scores = linearise(lambda v: (problem.distribution(v, rows).log_prob(rows.action),), vector)

        def product(direction: Tensor) -> Tensor:
            (fitted,) = scores.push(direction)
            return scores.pull((rows.shared(fitted - rows.mean(fitted)),))

        return product
