"""The compatible fit and the natural gradient are one vector."""

from __future__ import annotations

import pytest
import torch
from problems import make_problem
from torch import Tensor
from torch.func import grad, jacrev
from torch.utils import _pytree as pytree

from pgrobot.batch import Batch
from pgrobot.solvers import (
    CompatibleFisher,
    Constant,
    FullStep,
    LearningRate,
    NaturalGradientSolver,
    PolicyProblem,
    conjugate_gradient,
    gauss_newton,
)

GENERATOR = torch.Generator()


def scores_of(problem: PolicyProblem, vector: Tensor, batch: Batch) -> Tensor:
    """``∇ log π`` of every row, ``[B, P]``."""
    return jacrev(lambda v: problem.distribution(v, batch).log_prob(batch.action))(vector)


def fitted(problem: PolicyProblem, vector: Tensor, batch: Batch, damping: float = 0.0) -> Tensor:
    """The direction of one solve, read off a step of length one."""
    point = vector.clone()
    solver = NaturalGradientSolver(
        point,
        problem,
        fisher=CompatibleFisher(1.0),
        damping=damping,
        iterations=400,
        tolerance=1e-14,
        step=LearningRate(Constant(1.0)),
        acceptance=FullStep(),
        generator=GENERATOR,
    )
    solver.solve(batch)
    return point - vector


def test_the_product_is_with_the_covariance_of_the_scores() -> None:
    problem, vector, batch = make_problem(rows=40, actions=2)
    scores = scores_of(problem, vector, batch)
    product = CompatibleFisher(1.0)(problem, vector, batch, GENERATOR)
    dense = torch.cov(scores.T, correction=0)
    units = torch.eye(len(vector), dtype=torch.float64)
    ours = torch.stack([product(unit) for unit in units], dim=1)
    torch.testing.assert_close(ours, dense, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_least_squares_fit_is_the_natural_gradient_of_the_sample(seed: int) -> None:
    """‖F̂ŵ − ĝ‖ vanishes, and ŵ is what a dense solver fits together with the intercept."""
    problem, vector, batch = make_problem(rows=300, hidden=(3,), seed=seed)
    scores = scores_of(problem, vector, batch)
    weights = fitted(problem, vector, batch)
    fisher = torch.cov(scores.T, correction=0)
    gradient = -grad(lambda v: problem.loss(v, batch)[0])(vector)
    covariance = (scores - scores.mean(0)).T @ batch.advantage / 300
    torch.testing.assert_close(gradient, covariance, rtol=1e-10, atol=1e-12)
    assert float((fisher @ weights - gradient).norm()) <= 1e-10
    design = torch.cat((scores, torch.ones(300, 1, dtype=torch.float64)), dim=1)
    dense = torch.linalg.lstsq(design, batch.advantage.unsqueeze(-1), driver="gelsd").solution[:-1, 0]
    torch.testing.assert_close(weights, dense, rtol=1e-6, atol=1e-8)


def test_the_projection_of_any_advantage_has_the_same_gradient() -> None:
    """∇J does not change when the advantages are replaced by their compatible fit (Sutton et al. 2000)."""
    problem, vector, batch = make_problem(rows=300, hidden=(3,))
    scores = scores_of(problem, vector, batch)
    fit = scores @ fitted(problem, vector, batch)
    assert float((fit - batch.advantage).abs().max()) > 1.0, "the fit is not perfect"
    projected = (scores - scores.mean(0)).T @ (fit - fit.mean()) / 300
    gradient = -grad(lambda v: problem.loss(v, batch)[0])(vector)
    torch.testing.assert_close(projected, gradient, rtol=0.0, atol=1e-10)


def test_a_ridge_breaks_the_identity_in_proportion() -> None:
    """F̂ŵ − ĝ = −η ŵ."""
    problem, vector, batch = make_problem(rows=300, hidden=(3,))
    fisher = torch.cov(scores_of(problem, vector, batch).T, correction=0)
    gradient = -grad(lambda v: problem.loss(v, batch)[0])(vector)
    for ridge in (1e-3, 1e-1):
        weights = fitted(problem, vector, batch, damping=ridge)
        torch.testing.assert_close(fisher @ weights - gradient, -ridge * weights, rtol=1e-8, atol=1e-11)


def test_with_more_parameters_than_rows_it_interpolates_with_the_shortest_weights() -> None:
    problem, vector, batch = make_problem(rows=20)
    scores = scores_of(problem, vector, batch)
    centred = scores - scores.mean(0)
    weights = fitted(problem, vector, batch)
    torch.testing.assert_close(centred @ weights, batch.advantage, rtol=0.0, atol=1e-6)
    shortest = torch.linalg.pinv(centred) @ batch.advantage
    assert float(weights.norm()) == pytest.approx(float(shortest.norm()), rel=1e-4)


def test_it_approaches_the_fisher_information_with_the_sample() -> None:
    """Over ever more actions it becomes the expectation; the error falls like one over the root of their number."""
    problem, vector, batch = make_problem(rows=100_000)
    units = torch.eye(len(vector), dtype=torch.float64)[:5]
    exact = gauss_newton(problem, vector, batch)
    errors = []
    for rows in (1_000, 100_000):
        part = pytree.tree_map(lambda x, rows=rows: x[:rows], batch)
        product = CompatibleFisher(1.0)(problem, vector, part, GENERATOR)
        errors.append(float(torch.stack([product(u) - exact(u) for u in units]).norm()))
    scale = float(torch.stack([exact(unit) for unit in units]).norm())
    assert 0.02 < errors[0] / scale < 0.3
    assert errors[1] < 0.2 * errors[0]


def test_a_fraction_of_the_rows() -> None:
    problem, vector, batch = make_problem(rows=40)
    rows = torch.randperm(40, generator=torch.Generator().manual_seed(3))[:20]
    half = pytree.tree_map(lambda x: x[rows], batch)
    drawn = CompatibleFisher(0.5)(problem, vector, batch, torch.Generator().manual_seed(3))
    whole = CompatibleFisher(1.0)(problem, vector, half, GENERATOR)
    assert torch.equal(drawn(vector), whole(vector))


def test_few_iterations_stay_in_the_span_of_the_scores() -> None:
    problem, vector, batch = make_problem(rows=20)
    scores = scores_of(problem, vector, batch)
    centred = scores - scores.mean(0)
    product = CompatibleFisher(1.0)(problem, vector, batch, GENERATOR)
    gradient = centred.T @ batch.advantage / 20
    x = conjugate_gradient(product, gradient, 0.0, 5).x
    outside = x - torch.linalg.pinv(centred) @ (centred @ x)
    assert float(outside.norm() / x.norm()) < 1e-8
