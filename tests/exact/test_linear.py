"""Conjugate gradient and Jacobian products against dense linear algebra."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.func import jacrev

from pgrobot.solvers import conjugate_gradient, linearise

SCALES = [10.0**k for k in range(-6, 4)]


def system(size: int, condition: float, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """A random symmetric positive definite matrix of that condition, and a right-hand side."""
    generator = torch.Generator().manual_seed(size)
    basis, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    spectrum = torch.logspace(0.0, float(torch.tensor(condition).log10()), size, dtype=torch.float64)
    matrix = (basis * spectrum) @ basis.T
    return (0.5 * (matrix + matrix.T)).to(dtype), torch.randn(size, generator=generator).to(dtype)


@pytest.mark.parametrize(("size", "condition"), [(2, 1e6), (5, 1e3), (20, 10.0)])
def test_solves_in_as_many_steps_as_there_are_dimensions(size: int, condition: float) -> None:
    matrix, target = system(size, condition)
    solution = conjugate_gradient(lambda v: matrix @ v, target, 0.0, size)
    assert len(solution.residuals) == size + 1
    assert float((matrix @ solution.x - target).norm() / target.norm()) <= 1e-8
    torch.testing.assert_close(solution.x, torch.linalg.solve(matrix, target), rtol=1e-7, atol=1e-9)


def test_the_error_falls_in_the_norm_of_the_matrix_at_every_step() -> None:
    matrix, target = system(50, 1e4)
    exact = torch.linalg.solve(matrix, target)
    errors = []
    for iterations in range(30):
        error = conjugate_gradient(lambda v: matrix @ v, target, 0.0, iterations).x - exact
        errors.append(float(error @ matrix @ error))
    assert all(later < earlier for earlier, later in itertools.pairwise(errors))


def test_the_history_is_that_of_the_true_residuals() -> None:
    matrix, target = system(20, 10.0)
    history = conjugate_gradient(lambda v: matrix @ v, target, 0.0, 10).residuals
    for iterations, residual in enumerate(history):
        x = conjugate_gradient(lambda v: matrix @ v, target, 0.0, iterations).x
        assert float((target - matrix @ x).norm() / target.norm()) == pytest.approx(residual, rel=1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_the_unit_of_the_right_hand_side_does_not_matter(dtype: torch.dtype, tolerance: float) -> None:
    """CG(αb) = α CG(b) over nine decades, far from convergence."""
    matrix, target = system(50, 1e4, dtype)
    reference = conjugate_gradient(lambda v: matrix @ v, target, 0.0, 10)
    assert reference.residuals[-1] > 1e-2, "nothing is proven by a system that is solved"
    for scale in SCALES:
        scaled = conjugate_gradient(lambda v: matrix @ v, scale * target, 0.0, 10)
        assert float((scaled.x / scale - reference.x).norm() / reference.x.norm()) < tolerance
        torch.testing.assert_close(
            torch.tensor(scaled.residuals), torch.tensor(reference.residuals), rtol=1e-4, atol=0.0
        )


def test_stops_at_the_tolerance() -> None:
    matrix, target = system(50, 100.0)
    full = conjugate_gradient(lambda v: matrix @ v, target, 0.0, 50).residuals
    solution = conjugate_gradient(lambda v: matrix @ v, target, 1e-3, 50)
    assert solution.residuals[-1] <= 1e-3 < solution.residuals[-2]
    assert solution.residuals == full[: len(solution.residuals)]
    assert not solution.indefinite


def test_the_solution_of_nothing_is_nothing() -> None:
    solution = conjugate_gradient(lambda v: v, torch.zeros(3), 1e-10, 5)
    assert torch.equal(solution.x, torch.zeros(3))
    assert solution.residuals == (0.0,)
    assert not solution.indefinite


def test_an_exact_solution_is_not_mistaken_for_an_indefinite_matrix() -> None:
    solution = conjugate_gradient(lambda v: 4.0 * v, torch.tensor([3.0, 0.0]), 0.0, 9)
    assert torch.equal(solution.x, torch.tensor([0.75, 0.0]))
    assert solution.residuals == (1.0, 0.0)
    assert not solution.indefinite


@pytest.mark.parametrize("last", [-1.0, 0.0, float("nan")])
def test_a_direction_without_curvature_ends_it(last: float) -> None:
    """It stops before the division, with what it had, and says so."""
    diagonal = torch.tensor([1.0, 2.0, last], dtype=torch.float64)
    target = torch.tensor([1.0, 1.0, 0.3], dtype=torch.float64)
    solution = conjugate_gradient(lambda v: diagonal * v, target, 0.0, 9)
    assert solution.indefinite
    assert bool(solution.x.isfinite().all())
    if last == -1.0:
        assert 1 < len(solution.residuals) < 9, "the first directions had curvature"
    only = conjugate_gradient(lambda v: last * v, target, 0.0, 9)
    assert only.indefinite
    assert torch.equal(only.x, torch.zeros(3, dtype=torch.float64))


def test_both_products_of_the_jacobian() -> None:
    def function(v: Tensor) -> tuple[Tensor, ...]:
        return v[:3].sin() * v[3:], (v.square().sum() * v[:2]).view(2, 1), torch.ones(2, dtype=torch.float64)

    generator = torch.Generator().manual_seed(0)
    point, other, vector = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    linear = linearise(function, point)
    jacobian = torch.cat([j.reshape(-1, 6) for j in jacrev(function)(point)])
    for v in (vector, other):
        pushed = linear.push(v)
        assert [p.shape for p in pushed] == [value.shape for value in linear.value]
        torch.testing.assert_close(torch.cat([p.flatten() for p in pushed]), jacobian @ v)
        images = tuple(value + v[0] for value in linear.value)
        torch.testing.assert_close(
            linear.pull(images), jacobian.T @ torch.cat([image.flatten() for image in images])
        )
    for value, expected in zip(linear.value, function(point), strict=True):
        assert torch.equal(value, expected)
