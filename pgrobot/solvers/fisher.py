"""The Fisher information of a policy as a product with vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeVar

import torch
from torch import Tensor
from torch.func import grad, vjp
from torch.utils import _pytree as pytree

from pgrobot.batch import Batch
from pgrobot.ranges import share
from pgrobot.solvers.linear import Product, linearise
from pgrobot.solvers.problem import PolicyProblem

T = TypeVar("T")


class Fisher(Protocol):
    """A metric on parameters."""

    def __call__(
        self, problem: PolicyProblem, vector: Tensor, batch: Batch, generator: torch.Generator
    ) -> Product:
        """The product with the metric at ``vector`` ``[P]``, averaged over rows of the batch, undamped."""
        ...


@dataclass(frozen=True)
class GaussNewtonFisher:
    """The Fisher information itself: the expectation over actions is taken in closed form.

    See docs/derivations.md#fisher-information.

    Attributes:
        fraction: share of the batch's rows to average over, drawn anew for every solve; 1 uses all and draws nothing.
    """

    fraction: Annotated[float, share]

    def __call__(
        self, problem: PolicyProblem, vector: Tensor, batch: Batch, generator: torch.Generator
    ) -> Product:
        return gauss_newton(problem, vector, sampled(batch, self.fraction, generator))


def gauss_newton(problem: PolicyProblem, vector: Tensor, batch: Batch) -> Product:
    """Multiply by ``F = mean over rows of Jᵀ M J``, the Hessian of the mean KL at the policy itself.

    ``J`` is the Jacobian of the distribution's tensors, ``M`` the Hessian of KL(π ‖ ·) in them at π, where its gradient
    vanishes: no second derivative of the network enters (Martens 2020, arXiv 1412.1193, section 9; Schulman et al.
    2015, arXiv 1502.05477, appendix C). Any distribution will do that is a pytree of floating-point tensors and knows
    its ``kl``.

    See docs/derivations.md#fisher-information.

    Args:
        problem: gives the distribution.
        vector: the parameters ``[P]``.
        batch: rows ``[B]``.
    """
    structure = pytree.tree_structure(batch.reference)
    policy = linearise(lambda v: tuple(pytree.tree_leaves(problem.distribution(v, batch))), vector)
    here = pytree.tree_unflatten(policy.value, structure)

    def divergence(*leaves: Tensor) -> Tensor:
        return batch.mean(here.kl(pytree.tree_unflatten(leaves, structure)))

    # M is symmetric, so the reverse pass through the gradient multiplies by it.
    metric = vjp(grad(divergence, argnums=tuple(range(len(policy.value)))), *policy.value)[1]
    return lambda v: policy.pull(metric(policy.push(v)))


def sampled(batch: T, fraction: float, generator: torch.Generator) -> T:
    """Draw ``fraction`` of the rows without replacement, at least one; all of them as they are if it is 1."""
    if fraction == 1.0:
        return batch
    rows = pytree.tree_leaves(batch)[0].shape[0]
    chosen = torch.randperm(rows, generator=generator)[: math.ceil(fraction * rows)]
    drawn: T = pytree.tree_map(lambda x: x[chosen], batch)
    return drawn
