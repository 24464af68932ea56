"""Linear algebra without matrices: conjugate gradient and the two products of a Jacobian."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import vjp

Product = Callable[[Tensor], Tensor]  # [P] -> [P], linear


@dataclass(frozen=True)
class Solution:
    """What conjugate gradient found.

    Attributes:
        x: the solution ``[P]``.
        residuals: ``‖b − H x‖ / ‖b‖`` before the first iteration and after each, as the recursion has it.
        indefinite: it met a direction along which the matrix is not positive, as far as the precision of its products
            tells, and stopped there.
    """

    x: Tensor
    residuals: tuple[float, ...]
    indefinite: bool


def conjugate_gradient(product: Product, target: Tensor, tolerance: float, iterations: int) -> Solution:
    """Solve ``H x = b`` for a symmetric positive definite ``H`` (Hestenes and Stiefel 1952).

    The denominators are what they are: a small number added to them would make the solution depend on the unit of
    ``b``. The right-hand side is solved for at unit norm, and the recursion runs in float64 whatever the products do.
    A direction ends the search if its curvature ``pᵀHp / pᵀp`` is lost in the rounding of the greatest one met: on
    a singular matrix the next step would be noise divided by noise.

    See docs/derivations.md#conjugate-gradient.

    Args:
        product: multiplies a vector by ``H``.
        target: ``b`` ``[P]``; zero gives zero.
        tolerance: the relative residual at which to stop.
        iterations: at most so many products.
    """
    norm = torch.linalg.vector_norm(target, dtype=torch.float64)
    x = torch.zeros_like(target, dtype=torch.float64)
    if float(norm) == 0.0:
        return Solution(torch.zeros_like(target), (0.0,), indefinite=False)
    residual = target.double() / norm
    direction = residual
    square = residual @ residual
    residuals = [1.0]
    indefinite = False
    resolution, greatest = torch.finfo(target.dtype).eps, torch.zeros_like(square)
    while len(residuals) <= iterations and residuals[-1] > tolerance:
        image = product(direction.to(target.dtype)).double()
        curvature = direction @ image
        quotient = curvature / (direction @ direction)
        greatest = torch.maximum(greatest, quotient)
        if not bool(quotient > resolution * greatest):  # NaN included
            indefinite = True
            break
        length = square / curvature
        x = x + length * direction
        residual = residual - length * image
        last, square = square, residual @ residual
        direction = residual + (square / last) * direction
        residuals.append(float(square.sqrt()))
    return Solution((norm * x).to(target.dtype), tuple(residuals), indefinite)


@dataclass(frozen=True)
class Linearisation:
    """A function at a point with its Jacobian ``J``; the forward pass is done once, for all products.

    Attributes:
        value: the function at the point, a tuple of tensors.
        push: ``v [P] -> J v``, shaped like ``value``.
        pull: ``u, shaped like value, -> Jᵀ u [P]``.
    """

    value: tuple[Tensor, ...]
    push: Callable[[Tensor], tuple[Tensor, ...]]
    pull: Callable[[tuple[Tensor, ...]], Tensor]


def linearise(function: Callable[[Tensor], tuple[Tensor, ...]], point: Tensor) -> Linearisation:
    """Take a function apart at ``point`` ``[P]``.

    ``J v`` is the reverse pass of the reverse pass, which is linear in its argument: both products reuse the one
    forward pass, where forward-mode differentiation would repeat it for every vector.
    """
    value, reverse = vjp(function, point)[:2]
    zeros = tuple(map(torch.zeros_like, value))
    push = vjp(lambda *cotangents: reverse(cotangents)[0], *zeros)[1]
    return Linearisation(value, push, lambda cotangents: reverse(cotangents)[0])
