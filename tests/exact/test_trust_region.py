"""The line search: what is accepted satisfies both conditions, what is rejected leaves no trace."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from problems import LinearGaussian, Toy, make_problem
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.solvers import (
    Constant,
    FullStep,
    GaussNewtonFisher,
    KLAdaptive,
    KLRadius,
    LearningRate,
    LineSearch,
    NaturalGradientSolver,
    StepSize,
    Trial,
)
from pgrobot.solvers.problem import Report


def make_solver(problem: Any, vector: Tensor, acceptance: Any, step: StepSize) -> NaturalGradientSolver:
    return NaturalGradientSolver(
        vector,
        problem,
        fisher=GaussNewtonFisher(1.0),
        damping=0.1,
        iterations=10,
        tolerance=1e-10,
        step=step,
        acceptance=acceptance,
        generator=torch.Generator().manual_seed(0),
    )


def test_accepted_improves_within_the_region_and_rejected_is_restored() -> None:
    """Over random problems and radii from harmless to absurd: both fates occur, and short and long searches."""
    fates: dict[tuple[bool, bool], int] = {}
    for seed in range(10):
        for radius in (1e-4, 1e-2, 1.0, 1e4):
            problem, vector, batch = make_problem(actions=2, seed=seed)
            before, start = vector.clone(), float(problem.loss(vector, batch)[0])
            search = LineSearch(backtracks=3, shrink=0.5)
            report, _ = make_solver(problem, vector, search, KLRadius(Constant(radius))).solve(batch)
            accepted = bool(report["line_search/accepted"])
            backtracks = int(report["line_search/backtracks"])
            fates[accepted, backtracks > 0] = fates.get((accepted, backtracks > 0), 0) + 1
            loss, kl = float(problem.loss(vector, batch)[0]), float(problem.kl(vector, batch))
            assert float(report["policy/kl"]) == kl
            assert float(report["line_search/kl_ratio"]) == pytest.approx(kl / radius, rel=1e-6, abs=1e-12)
            assert float(report["step/improvement"]) == start - loss
            if accepted:
                assert loss < start
                assert 0.0 < kl <= radius
                assert backtracks <= 3
            else:
                assert torch.equal(vector, before)
                assert backtracks == 4
                assert kl == 0.0
    assert set(fates) == {(True, False), (True, True), (False, True)}, fates


def test_the_first_acceptable_point_is_taken() -> None:
    """Along θ + βʲs with the j of the report: the point is that one, and all before it break a condition."""
    problem, vector, batch = make_problem(actions=2)
    before = vector.clone()
    report, _ = make_solver(problem, vector, LineSearch(20, 0.8), KLRadius(Constant(2.0))).solve(batch)
    whole = before.clone()
    make_solver(problem, whole, FullStep(), KLRadius(Constant(2.0))).solve(batch)
    count = int(report["line_search/backtracks"])
    assert count > 1
    torch.testing.assert_close(vector - before, 0.8**count * (whole - before), rtol=1e-10, atol=1e-14)
    start = float(problem.loss(before, batch)[0])
    for index in range(count):
        point = before + 0.8**index * (whole - before)
        assert float(problem.loss(point, batch)[0]) >= start or float(problem.kl(point, batch)) > 2.0


def test_a_whole_step_that_is_accepted_is_that_without_a_search() -> None:
    """TRPO with its search switched off is natural policy gradient, bit for bit."""
    found = 0
    for seed in range(10):
        vectors = []
        for acceptance in (LineSearch(10, 0.8), FullStep()):
            problem, vector, batch = make_problem(seed=seed)
            report, _ = make_solver(problem, vector, acceptance, KLRadius(Constant(1e-3))).solve(batch)
            vectors.append(vector)
            if float(report.get("line_search/backtracks", torch.tensor(0.0))) > 0:
                break
        else:
            assert torch.equal(*vectors)
            found += 1
    assert found > 2


class Cliff(Toy):
    """The objective rises, but a step away something is not a number."""

    def __init__(self, loss: float, kl: float) -> None:
        self.inner = LinearGaussian(9, 3, torch.ones(3, dtype=torch.float64), 0.0)
        self.start = self.inner.vector.clone()
        self.bad = {"loss": loss, "kl": kl}

    def distribution(self, vector: Tensor, batch: Batch) -> Any:
        return self.inner.distribution(vector, batch)

    def loss(self, vector: Tensor, batch: Batch) -> tuple[Tensor, Report]:
        loss, report = self.inner.loss(vector, batch)
        away = (vector != self.start).any()
        loss = torch.where(away, loss + self.bad["loss"], loss)
        return loss, report | {"policy/kl": torch.where(away, self.bad["kl"], report["policy/kl"])}


@pytest.mark.parametrize(
    ("loss", "kl"), [(math.nan, 0.0), (0.0, math.nan), (-math.inf, 0.0), (0.0, math.inf)]
)
@pytest.mark.parametrize("step", [KLRadius(Constant(0.01)), LearningRate(Constant(0.01))])
def test_what_is_not_finite_is_rejected(loss: float, kl: float, step: StepSize) -> None:
    problem = Cliff(loss, kl)
    vector = problem.start.clone()
    report, _ = make_solver(problem, vector, LineSearch(5, 0.5), step).solve(problem.inner.batch)
    assert torch.equal(vector, problem.start)
    assert float(report["line_search/accepted"]) == 0.0


def test_a_rejected_step_changes_no_radius() -> None:
    """Its KL is zero because nothing moved, and not because the radius was small."""
    problem = Cliff(math.nan, 0.0)
    adaptive = KLAdaptive(initial=0.02, target_kl=0.02, factor=2.0, least=1e-4, greatest=1.0)
    solver = make_solver(problem, problem.start.clone(), LineSearch(5, 0.5), KLRadius(adaptive))
    for _ in range(2):
        solver.solve(problem.inner.batch)
    assert solver.state_dict()["size"] == 0.02


def test_a_gradient_that_is_not_a_number_moves_nothing() -> None:
    problem = LinearGaussian(9, 3, torch.tensor([1.0, math.nan, 0.0], dtype=torch.float64), 0.0)
    before = problem.vector.clone()
    make_solver(problem, problem.vector, LineSearch(5, 0.5), KLRadius(Constant(0.01))).solve(problem.batch)
    assert torch.equal(problem.vector, before)


def test_nothing_to_gain_is_rejected() -> None:
    """A point that is no better is not accepted, the same point included."""
    start = Trial(torch.zeros(2), torch.tensor(1.0), {"policy/kl": torch.tensor(0.0)})
    same = lambda v: Trial(v, torch.tensor(1.0), {"policy/kl": torch.tensor(0.0)})
    chosen, report = LineSearch(2, 0.5)(start, torch.ones(2), same, 0.01)
    assert chosen is start
    assert float(report["line_search/accepted"]) == 0.0


def test_the_edge_of_the_region_belongs_to_it() -> None:
    start = Trial(torch.zeros(2), torch.tensor(1.0), {"policy/kl": torch.tensor(0.0)})
    edge = lambda v: Trial(v, torch.tensor(0.5), {"policy/kl": torch.tensor(0.25)})
    chosen, report = LineSearch(2, 0.5)(start, torch.ones(2), edge, 0.25)
    assert torch.equal(chosen.vector, torch.ones(2))
    assert float(report["line_search/kl_ratio"]) == 1.0
