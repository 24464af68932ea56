"""Fisher products against their definition, and natural gradient steps against closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from problems import Bandit, LinearGaussian, Toy, make_batch, make_problem
from torch import Tensor
from torch.func import grad, jacrev
from torch.utils import _pytree as pytree

from pgrobot.batch import Batch
from pgrobot.distributions import (
    Beta,
    Binned,
    Categorical,
    Distribution,
    FullCovarianceGaussian,
    Gaussian,
    SmoothGaussian,
    SquashedGaussian,
)
from pgrobot.solvers import (
    CompatibleFisher,
    Constant,
    FullStep,
    GaussNewtonFisher,
    KLAdaptive,
    KLRadius,
    LearningRate,
    Linear,
    NaturalGradientSolver,
    Unbounded,
    conjugate_gradient,
    gauss_newton,
)


def make_solver(problem: Any, vector: Tensor, **changes: Any) -> NaturalGradientSolver:
    arguments = {
        "fisher": GaussNewtonFisher(1.0),
        "damping": 0.0,
        "iterations": 200,
        "tolerance": 1e-12,
        "step": KLRadius(Constant(0.01)),
        "acceptance": FullStep(),
        "generator": torch.Generator().manual_seed(0),
    }
    return NaturalGradientSolver(vector, problem, **(arguments | changes))


def columns(product: Any, size: int) -> Tensor:
    """A matrix from its products with the unit vectors."""
    return torch.stack([product(unit) for unit in torch.eye(size, dtype=torch.float64)], dim=1)


def test_the_product_is_with_the_covariance_of_the_scores_under_the_policy() -> None:
    """F = E[∇log π ∇log πᵀ], the expectation by a quadrature that is exact for it: every column, to rounding."""
    problem, vector, batch = make_problem(rows=20)
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    mean, std = batch.reference.mean, batch.reference.std

    def log_prob(v: Tensor) -> Tensor:
        actions = [mean + std * node for node in nodes]
        return torch.stack([problem.distribution(v, batch).log_prob(action) for action in actions])

    scores = jacrev(log_prob)(vector)  # [5, B, P]
    weight = torch.from_numpy(weights / weights.sum()).view(-1, 1, 1) / 20
    dense = torch.einsum("nbi,nbj->ij", weight * scores, scores)
    ours = columns(gauss_newton(problem, vector, batch), len(vector))
    assert len(vector) == 50
    for column, expected in zip(ours.T, dense.T, strict=True):
        assert float((column - expected).norm() / dense.norm()) < 1e-14
        torch.testing.assert_close(column, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("actions", [1, 3])
def test_gauss_newton_is_the_hessian_of_the_divergence(actions: int) -> None:
    problem, vector, batch = make_problem(actions=actions)
    product = gauss_newton(problem, vector, batch)
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        v = torch.randn(len(vector), generator=generator, dtype=torch.float64)
        slope = lambda p, v=v: grad(problem.kl)(p, batch) @ v
        torch.testing.assert_close(product(v), grad(slope)(vector), rtol=1e-10, atol=1e-12)


FAMILIES: dict[str, Callable[[Tensor], Distribution]] = {
    "gaussian": lambda x: Gaussian(x[:, :2], 0.3 * x[:, 2:4]),
    "full": lambda x: FullCovarianceGaussian(x[:, :2], torch.diag_embed(x[:, 2:4].exp()) + _lower(x[:, 4:5])),
    "squashed": lambda x: SquashedGaussian(Gaussian(x[:, :2], 0.3 * x[:, 2:4])),
    "smooth": lambda x: SmoothGaussian(x[:, 4:6], Gaussian(x[:, :2] + x[:, 4:6], 0.3 * x[:, 2:4])),
    "beta": lambda x: Beta(1.0 + x[:, :2].exp(), 1.0 + x[:, 2:4].exp()),
    "categorical": Categorical,
    "binned": lambda x: Binned(x.view(-1, 2, 3)),
}


def _lower(x: Tensor) -> Tensor:
    return torch.nn.functional.pad(x.unsqueeze(-1), (0, 1, 1, 0))


class Family(Toy):
    """A distribution whose tensors are functions of six numbers per row, linear in the parameters."""

    def __init__(self, family: Callable[[Tensor], Distribution]) -> None:
        self.family = family
        generator = torch.Generator().manual_seed(0)
        self.design = torch.randn(20, 3, generator=generator, dtype=torch.float64)
        self.vector = 0.5 * torch.randn(18, generator=generator, dtype=torch.float64)
        self.reference = self._at(self.vector)
        action = self.reference.sample(generator)
        advantage = torch.randn(20, generator=generator, dtype=torch.float64)
        self.batch = make_batch(self.reference, action, advantage)

    def _at(self, vector: Tensor) -> Distribution:
        return self.family(self.design @ vector.view(3, 6))

    def distribution(self, vector: Tensor, batch: Batch) -> Distribution:
        return self._at(vector)


@pytest.mark.parametrize("family", FAMILIES)
def test_any_distribution_that_knows_its_divergence(family: str) -> None:
    """Every column is that of the dense Hessian of the mean divergence."""
    problem = Family(FAMILIES[family])
    dense = jacrev(grad(problem.kl))(problem.vector, problem.batch)
    assert float(dense.norm()) > 0.1
    ours = columns(gauss_newton(problem, problem.vector, problem.batch), 18)  # type: ignore[arg-type]
    torch.testing.assert_close(ours, dense, rtol=1e-9, atol=1e-12)


def test_softmax_in_closed_form() -> None:
    """M = diag(p) − ppᵀ on the logits."""
    problem = Family(Categorical)
    jacobian = jacrev(lambda v: problem._at(v).logits)(problem.vector)  # type: ignore[attr-defined]
    p = problem.reference.mean
    metric = torch.diag_embed(p) - p.unsqueeze(-1) * p.unsqueeze(-2)
    dense = torch.einsum("bki,bkl,blj->ij", jacobian, metric, jacobian) / 20
    ours = columns(gauss_newton(problem, problem.vector, problem.batch), 18)  # type: ignore[arg-type]
    torch.testing.assert_close(ours, dense, rtol=1e-10, atol=1e-14)


def test_a_fraction_of_the_rows_is_drawn_by_the_generator() -> None:
    problem, vector, batch = make_problem(rows=40)
    v = torch.ones_like(vector)

    def product(fraction: float, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return GaussNewtonFisher(fraction)(problem, vector, batch, generator)(v)

    rows = torch.randperm(40, generator=torch.Generator().manual_seed(3))[:10]
    quarter = pytree.tree_map(lambda x: x[rows], batch)
    assert torch.equal(product(0.25, 3), gauss_newton(problem, vector, quarter)(v))
    assert not torch.equal(product(0.25, 3), product(0.25, 4))
    one = pytree.tree_map(lambda x: x[rows[:1]], batch)
    assert torch.equal(product(1e-6, 3), gauss_newton(problem, vector, one)(v))


def test_all_rows_draw_nothing() -> None:
    problem, vector, batch = make_problem()
    generator = torch.Generator().manual_seed(3)
    before = generator.get_state()
    product = GaussNewtonFisher(1.0)(problem, vector, batch, generator)
    assert torch.equal(product(vector), gauss_newton(problem, vector, batch)(vector))
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize(
    "fisher", [GaussNewtonFisher(1.0), CompatibleFisher(1.0)], ids=["exact", "compatible"]
)
@pytest.mark.parametrize(("mean", "std", "target"), [(0.3, 0.5, -0.4), (-2.0, 1.5, 1.0)])
def test_the_natural_gradient_of_the_bandit(fisher: Any, mean: float, std: float, target: float) -> None:
    """(−2dσ², −σ²), whatever the curvature of the reward looks like in the parameters."""
    bandit = Bandit(mean, std, target)
    before = bandit.vector.clone()
    solver = make_solver(bandit, bandit.vector, fisher=fisher, step=LearningRate(Constant(1.0)))
    report, stop = solver.solve(bandit.batch)
    expected = torch.tensor([-2.0 * (mean - target) * std**2, -(std**2)], dtype=torch.float64)
    torch.testing.assert_close(bandit.vector - before, expected, rtol=1e-10, atol=0.0)
    gradient = math.hypot(2.0 * (mean - target), 2.0 * std**2)
    assert float(report["gradient/policy_norm"]) == pytest.approx(gradient, rel=1e-10)
    assert not stop


class Reparameterised(Unbounded):
    """The same problem in the coordinates φ with θ = Aφ."""

    def __init__(self, problem: Any, matrix: Tensor) -> None:
        self.problem = problem
        self.matrix = matrix

    def distribution(self, vector: Tensor, batch: Batch) -> Any:
        return self.problem.distribution(self.matrix @ vector, batch)

    def loss(self, vector: Tensor, batch: Batch) -> Any:
        return self.problem.loss(self.matrix @ vector, batch)


@pytest.mark.parametrize("step", [KLRadius(Constant(0.01)), LearningRate(Constant(0.1))])
def test_the_next_policy_does_not_depend_on_the_parameterisation(step: Any) -> None:
    problem, vector, batch = make_problem(hidden=(3,))
    size = len(vector)
    generator = torch.Generator().manual_seed(1)
    matrix = (
        torch.eye(size, dtype=torch.float64) + 0.3 * torch.randn(size, size, generator=generator).double()
    )
    other = torch.linalg.solve(matrix, vector)
    plain = matrix @ (other - 0.1 * matrix.T @ grad(lambda v: problem.loss(v, batch)[0])(vector))
    vanilla = vector - 0.1 * grad(lambda v: problem.loss(v, batch)[0])(vector)
    make_solver(problem, vector, step=step).solve(batch)
    make_solver(Reparameterised(problem, matrix), other, step=step).solve(batch)
    here, there = problem.distribution(vector, batch), problem.distribution(matrix @ other, batch)
    torch.testing.assert_close(there.mean, here.mean, rtol=0.0, atol=1e-8)
    torch.testing.assert_close(there.std, here.std, rtol=0.0, atol=1e-8)
    moved = (here.mean - batch.reference.mean).abs().max()
    assert float(moved) > 1e-3
    apart = problem.distribution(vanilla, batch).mean - problem.distribution(plain, batch).mean
    assert float(apart.abs().max()) > 1e-3, "the plain gradient step does depend on it"


@pytest.mark.parametrize("damping", [0.0, 0.1])
@pytest.mark.parametrize("fraction", [1.0, 0.25])
def test_the_measured_divergence_meets_the_radius_as_it_shrinks(damping: float, fraction: float) -> None:
    """Neither damping nor the rows of the metric enter the length of the step."""
    distance = []
    for radius in (1e-3, 1e-5, 1e-7):
        problem, vector, batch = make_problem(rows=512)
        changes = {"damping": damping, "fisher": GaussNewtonFisher(fraction), "iterations": 10}
        report, _ = make_solver(problem, vector, step=KLRadius(Constant(radius)), **changes).solve(batch)
        assert float(report["step/kl_predicted"]) == pytest.approx(radius, rel=1e-10)
        assert float(report["policy/kl"]) == float(problem.kl(vector, batch))
        distance.append(abs(float(report["policy/kl"]) / radius - 1.0))
    assert distance[1] < 0.02
    assert distance[2] < 0.002
    assert distance[2] < 0.5 * distance[1]


def test_a_quadratic_problem_is_stepped_to_its_analytic_optimum() -> None:
    """√(2δ / gᵀF⁻¹g) F⁻¹g maximises gᵀΔ over the ellipsoid ½ΔᵀFΔ ≤ δ, which here is the divergence itself."""
    slope = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    problem = LinearGaussian(rows=30, size=4, slope=slope, log_std=-0.7)
    before = problem.vector.clone()
    report, _ = make_solver(problem, problem.vector, step=KLRadius(Constant(0.2))).solve(problem.batch)
    natural = torch.linalg.solve(problem.fisher, slope)
    best = (2.0 * 0.2 / (slope @ natural)).sqrt()
    torch.testing.assert_close(problem.vector - before, best * natural, rtol=1e-10, atol=0.0)
    assert float(report["policy/kl"]) == pytest.approx(0.2, rel=1e-10)
    assert float(report["step/improvement_predicted"]) == pytest.approx(
        float(best * slope @ natural), rel=1e-10
    )
    assert float(report["step/improvement_ratio"]) == pytest.approx(1.0, rel=1e-10)


def test_damping_and_the_end_of_conjugate_gradient_are_what_was_asked_for() -> None:
    problem, vector, batch = make_problem()
    product = gauss_newton(problem, vector, batch)
    gradient = -grad(lambda v: problem.loss(v, batch)[0])(vector)
    solution = conjugate_gradient(lambda v: product(v) + 0.3 * v, gradient, 1e-4, 10)
    expected = vector + 0.01 * solution.x
    step = LearningRate(Constant(0.01))
    solver = make_solver(problem, vector, damping=0.3, tolerance=1e-4, iterations=10, step=step)
    report, _ = solver.solve(batch)
    torch.testing.assert_close(vector, expected, rtol=1e-12, atol=0.0)
    assert float(report["conjugate_gradient/iterations"]) == len(solution.residuals) - 1 < 10
    assert float(report["conjugate_gradient/residual"]) == pytest.approx(solution.residuals[-1], rel=1e-6)
    assert float(report["conjugate_gradient/indefinite"]) == 0.0
    assert solver.rate == 0.01


def test_nothing_to_gain_moves_nothing() -> None:
    problem = LinearGaussian(rows=9, size=3, slope=torch.zeros(3, dtype=torch.float64), log_std=0.0)
    before = problem.vector.clone()
    report, _ = make_solver(problem, problem.vector).solve(problem.batch)
    assert torch.equal(problem.vector, before)
    assert all(bool(value.isfinite()) for value in report.values())


@pytest.mark.parametrize("damping", [0.0, 0.1])
def test_a_direction_that_does_not_move_the_policy_is_not_taken(damping: float) -> None:
    """No length reaches the radius along it, so an infinite one would be asked for."""
    problem = LinearGaussian(rows=9, size=3, slope=torch.ones(3, dtype=torch.float64), log_std=0.0)
    problem.design.zero_()
    before = problem.vector.clone()
    report, _ = make_solver(problem, problem.vector, damping=damping).solve(problem.batch)
    assert torch.equal(problem.vector, before)
    assert float(report["conjugate_gradient/indefinite"]) == (damping == 0.0)
    assert all(bool(value.isfinite()) for value in report.values())


def test_sizes_follow_their_schedule() -> None:
    problem, vector, batch = make_problem()
    solver = make_solver(problem, vector, step=KLRadius(Linear(0.02, 0.0)))
    solver.anneal(0.75)
    report, _ = solver.solve(batch)
    assert float(report["step/kl_predicted"]) == pytest.approx(0.005, rel=1e-6)
    problem, vector, batch = make_problem()
    adaptive = KLAdaptive(initial=1.0, target_kl=1e-4, factor=2.0, least=0.1, greatest=9.0)
    solver = make_solver(problem, vector, step=LearningRate(adaptive))
    solver.solve(batch)
    assert solver.rate == 1.0
    solver.solve(batch)
    assert solver.rate == 0.5, "the first step went too far"


def test_a_size_follows_the_kl_that_was_measured() -> None:
    """Not the predicted one: with a target between the two it is the measured one that decides."""
    problem, vector, batch = make_problem()
    report, _ = make_solver(problem, vector, step=LearningRate(Constant(1.0))).solve(batch)
    predicted, measured = float(report["step/kl_predicted"]), float(report["policy/kl"])
    assert abs(predicted / measured - 1.0) > 0.01
    between = KLAdaptive(
        initial=1.0, target_kl=(predicted + measured) / 4, factor=2.0, least=0.1, greatest=9.0
    )
    problem, vector, batch = make_problem()
    solver = make_solver(problem, vector, step=LearningRate(between))
    solver.solve(batch)
    solver.solve(batch)
    assert solver.rate == (0.5 if measured > predicted else 1.0)


def test_state_continues_bit_for_bit() -> None:
    adaptive = LearningRate(KLAdaptive(initial=0.2, target_kl=1e-3, factor=2.0, least=0.0, greatest=1.0))
    changes = {"fisher": GaussNewtonFisher(0.5), "step": adaptive, "iterations": 5}
    problem, straight, batch = make_problem()
    solver = make_solver(problem, straight, **changes)
    for _ in range(4):
        solver.solve(batch)
    problem, halves, batch = make_problem()
    first = make_solver(problem, halves, **changes)
    for _ in range(2):
        first.solve(batch)
    second = make_solver(problem, halves, **changes, generator=torch.Generator().manual_seed(99))
    second.load_state_dict(first.state_dict())
    assert second.rate == first.rate
    for _ in range(2):
        second.solve(batch)
    assert torch.equal(straight, halves)
