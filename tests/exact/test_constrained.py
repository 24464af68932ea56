"""Steps that keep to budgets by themselves: what they are without any, what is accepted, where they lead."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from problems import make_problem
from torch import Tensor
from torch.func import grad, jacrev
from toys import make_policy

from pgrobot.batch import Batch
from pgrobot.policies.heads.gaussian import GaussianHead
from pgrobot.solvers import (
    Constant,
    ConstrainedSolver,
    ConstrainedStep,
    Enforcement,
    FlatParameters,
    GaussNewtonFisher,
    KLRadius,
    LearningRate,
    LineSearch,
    NaturalGradientSolver,
    PolicyProblem,
    ProjectedStep,
    gauss_newton,
)
from pgrobot.solvers.arrears import Arrears

BOTH = [ConstrainedStep(), ProjectedStep("kl"), ProjectedStep("l2")]
WORDS = ("KL of CPO", "PCPO by KL", "PCPO by L2")
DELTA = 0.01


def limited(
    seed: int, slack: list[float] | None = None, rows: int = 64
) -> tuple[PolicyProblem, Tensor, Batch]:
    """A network with two costs, the second in a unit of its own; by default at random slacks that a step can reach."""
    problem, vector, batch = make_problem(rows=rows, actions=2, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    cost = torch.randn(rows, 2, generator=generator, dtype=torch.float64) * torch.tensor([1.0, 100.0])
    room = torch.tensor([0.06, 6.0], dtype=torch.float64) * (2.0 * torch.rand(2, generator=generator) - 1.2)
    given = torch.tensor(slack, dtype=torch.float64) if slack else room
    batch = replace(batch, cost_advantage=cost - cost.mean(0), slack=given.expand(rows, 2))
    named = PolicyProblem(
        problem._policy, problem.parameters, problem._terms, constraints=["first", "second"]
    )
    return named, vector, batch


def make(kind: Any, problem: PolicyProblem, vector: Tensor, **more: Any) -> NaturalGradientSolver:
    given = {
        "fisher": GaussNewtonFisher(1.0),
        "damping": 0.1,
        "iterations": 15,
        "tolerance": 1e-10,
        "step": KLRadius(Constant(DELTA)),
        "acceptance": LineSearch(10, 0.8),
        "generator": torch.Generator().manual_seed(0),
    }
    if kind is ConstrainedSolver:
        given |= {"integral": 0.0}
    solver: NaturalGradientSolver = kind(vector, problem, **(given | more))
    return solver


def case_of(report: dict[str, Tensor]) -> str:
    (case,) = (name for name, value in report.items() if name.startswith("step/case/") and value == 1.0)
    return case.removeprefix("step/case/")


@pytest.mark.parametrize("enforcement", BOTH, ids=WORDS)
@pytest.mark.parametrize(("width", "fraction"), [(0, 0.5), (2, 0.5), (2, 1.0)])
def test_without_a_limit_that_binds_it_is_trpo_bit_for_bit(
    enforcement: Enforcement, width: int, fraction: float
) -> None:
    fisher = GaussNewtonFisher(fraction)
    problem, vector, batch = limited(3, [1e9, 1e9])
    batch = replace(batch, cost_advantage=batch.cost_advantage[:, :width], slack=batch.slack[:, :width])
    trpo, free = vector.clone(), vector.clone()
    plain = make(NaturalGradientSolver, problem, trpo, fisher=fisher)
    solver = make(ConstrainedSolver, problem, free, fisher=fisher, enforcement=enforcement)
    for _ in range(3):
        told, report = plain.solve(batch)[0], solver.solve(batch)[0]
        assert torch.equal(free, trpo)
        assert told.items() <= report.items()
    assert not torch.equal(trpo, vector)
    assert torch.equal(plain.state_dict()["generator"], solver.state_dict()["generator"])


@pytest.mark.parametrize("enforcement", BOTH, ids=WORDS)
def test_the_step_keeps_to_every_limit_of_the_quadratic_model(enforcement: Enforcement) -> None:
    """However few iterations the systems had: what it costs is a product of known vectors."""
    cases: Counter[str] = Counter()
    for seed in range(12):
        problem, vector, batch = limited(seed)
        before = vector.clone()
        slopes = jacrev(lambda v, problem=problem, batch=batch: problem.costs(v, batch))(before)
        solver = make(ConstrainedSolver, problem, vector, enforcement=enforcement, iterations=4)
        proposal = solver._propose(batch, -grad(lambda v: problem.loss(v, batch)[0])(before))  # noqa: B023
        change, case = slopes @ proposal.step, case_of(proposal.report)
        spent = 0.5 * proposal.step @ gauss_newton(problem, before, batch)(proposal.step)
        assert float(proposal.kl) == pytest.approx(float(spent), rel=1e-9)
        assert float(spent) <= DELTA * (1.0 + 1e-6)
        shortened = isinstance(enforcement, ProjectedStep) and float(spent) > DELTA * (1.0 - 1e-6)
        if case != "recovery" and not (case == "restoring" and shortened):
            assert (change <= batch.slack[0] + 1e-9).all()
        if isinstance(enforcement, ConstrainedStep):
            assert float(spent) == pytest.approx(DELTA, rel=1e-6)
        told = [float(proposal.report[f"step/cost_predicted/{name}"]) for name in ("first", "second")]
        assert told == pytest.approx(change.tolist(), rel=1e-9, abs=1e-12)
        cases[case] += 1
    assert len(cases) >= 3, cases


@pytest.mark.parametrize("enforcement", BOTH, ids=WORDS)
def test_what_is_accepted_keeps_to_the_budgets_and_what_is_not_leaves_every_bit(
    enforcement: Enforcement,
) -> None:
    fates: Counter[tuple[bool, bool]] = Counter()
    for seed in range(8):
        problem, vector, batch = limited(seed)
        slack, before = batch.slack[0], vector.clone()
        start = float(problem.loss(before, batch)[0])
        report, _ = make(ConstrainedSolver, problem, vector, enforcement=enforcement).solve(batch)
        accepted = bool(report["line_search/accepted"])
        exceeded = bool((slack < 0.0).any())
        cost = problem.costs(vector, batch)
        told = [float(report[f"step/cost/{name}"]) for name in ("first", "second")]
        assert told == pytest.approx(cost.tolist(), abs=1e-12)
        assert [float(report[f"step/slack/{name}"]) for name in ("first", "second")] == pytest.approx(
            slack.tolist()
        )
        fates[accepted, exceeded] += 1
        if not accepted:
            assert torch.equal(vector, before)
            continue
        assert float(problem.kl(vector, batch)) <= DELTA
        loss = float(problem.loss(vector, batch)[0])
        assert float(report["step/improvement"]) == pytest.approx(start - loss, abs=1e-12)
        if not exceeded:
            assert loss < start
        if case_of(report) == "recovery":
            assert float((cost - slack).max()) < float((-slack).max()) or (slack > 0.0).any()
        else:
            assert (cost <= slack.clamp(min=0.0)).all()
            assert (cost[slack < 0.0] < 0.0).all()
    assert fates[True, True] > 1
    assert fates[True, False] > 1, fates


def test_a_recovery_lowers_the_excess_by_what_the_region_allows() -> None:
    """Of one cost it is the natural gradient of that cost, whatever the reward says."""
    problem, vector, batch = limited(1, [-1.0, 1e9])
    before = vector.clone()
    report, _ = make(ConstrainedSolver, problem, vector, enforcement=ConstrainedStep(), iterations=200).solve(
        batch
    )
    assert case_of(report) == "recovery"
    slope = grad(lambda v: problem.costs(v, batch)[0])(before)
    fisher = gauss_newton(problem, before, batch)
    product = lambda v: fisher(v) + 0.1 * v
    step = (vector - before) / 0.8 ** float(report["line_search/backtracks"])
    assert float(slope @ step) < 0.0
    cosine = -(product(step) @ slope) / (product(step).norm() * slope.norm())
    assert float(cosine) == pytest.approx(1.0, abs=1e-6)
    assert float(report["step/kl_predicted"]) == pytest.approx(DELTA, rel=1e-6)
    assert float(report["step/dual/first"]) == 0.0


def test_a_recovery_may_spend_of_the_budgets_that_are_kept() -> None:
    """What lowers the largest excess goes on where another cost rises above its budget, and stays below that excess."""
    problem, vector, batch = limited(1, [-1.0, 1e-4])
    batch = replace(batch, cost_advantage=batch.cost_advantage[:, :1] * torch.tensor([1.0, -1.0]))
    report, _ = make(ConstrainedSolver, problem, vector, enforcement=ConstrainedStep()).solve(batch)
    assert case_of(report) == "recovery"
    assert report["line_search/accepted"] == 1.0
    first, second = problem.costs(vector, batch).tolist()
    assert first < -1e-3
    assert 1e-3 < second < first + 1.0


def test_a_recovery_does_not_wait_for_a_cost_that_no_step_changes() -> None:
    problem, vector, batch = limited(1, [-1.0, -1.0])
    batch = replace(batch, cost_advantage=batch.cost_advantage * torch.tensor([1.0, 0.0]))
    report, _ = make(ConstrainedSolver, problem, vector, enforcement=ConstrainedStep()).solve(batch)
    assert case_of(report) == "recovery"
    assert report["line_search/accepted"] == 1.0
    first, second = problem.costs(vector, batch).tolist()
    assert first < -1e-3
    assert second == 0.0


def test_the_slack_counts_from_the_policy_that_acted() -> None:
    """In a later pass over a rollout a part of it is spent."""
    problem, vector, batch = limited(2, [0.01, 1e9])
    first = make(ConstrainedSolver, problem, vector, enforcement=ConstrainedStep())
    for _ in range(3):
        spent = float(problem.costs(vector, batch)[0])
        report, _ = first.solve(batch)
        assert float(report["step/slack/first"]) == pytest.approx(0.01 - spent, abs=1e-12)
        assert float(problem.costs(vector, batch)[0]) <= 0.01
    assert spent > 1e-3


def test_a_parameter_at_its_bound_takes_no_part() -> None:
    """The deviation may not fall below where it is: a step that wants it to is the best of those that leave it."""
    head = partial(GaussianHead, log_std=0.0, log_std_bounds=(-0.5, 1.0))
    problem, _, batch = limited(0)
    policy = make_policy({"policy": 2}, 2, (12,), head, 0).double()
    parameters = FlatParameters(policy)
    parameters.vector[parameters.lower == -math.inf] += 0.1
    deviation = parameters.slices["head.log_std"]
    parameters.vector[deviation] = -0.5
    held = 0
    for seed in range(8):
        _, _, batch = limited(seed)
        bounded = PolicyProblem(policy, parameters, problem._terms, constraints=["first", "second"])
        reference = bounded.distribution(parameters.vector.clone(), batch)
        batch = replace(batch, reference=reference, log_prob=reference.log_prob(batch.action))
        vector = parameters.vector.clone()
        solver = make(ConstrainedSolver, bounded, vector, enforcement=ConstrainedStep())
        step = solver._propose(batch, -grad(lambda v: bounded.loss(v, batch)[0])(vector)).step  # noqa: B023
        assert torch.equal(bounded.project(vector + step), vector + step)
        held += int((step[deviation] == 0.0).sum())
    assert held > 2


@pytest.mark.parametrize("enforcement", BOTH, ids=WORDS)
def test_it_finds_the_constrained_optimum_of_a_bandit(enforcement: Enforcement) -> None:
    """Maximise the mean of an action whose square may be d on average: ``μ* = √(d − σ²)``, from within and outside."""
    std, budget = 0.5, 1.25
    nodes, weight = np.polynomial.hermite_e.hermegauss(9)
    head = partial(
        GaussianHead, log_std=math.log(std), log_std_bounds=(math.log(std) - 1e-9, math.log(std) + 1e-9)
    )
    policy = make_policy({"policy": 1}, 1, (), head, 0).double()
    parameters = FlatParameters(policy)
    for begin in (0.7, 1.3):
        parameters.vector.zero_()
        parameters.vector[parameters.slices["head.log_std"]] = math.log(std)
        bias = parameters.slices["output.bias"]
        parameters.vector[bias] = begin
        problem = PolicyProblem(policy, parameters, limited(0)[0]._terms, constraints=["square"])
        solver = make(ConstrainedSolver, problem, parameters.vector, enforcement=enforcement, damping=0.0)
        _, _, batch = make_problem(rows=9, width=1)
        for _ in range(12):
            batch = replace(batch, obs={"policy": torch.zeros(9, 1, dtype=torch.float64)})
            reference = problem.distribution(
                parameters.vector.clone(), replace(batch, action=torch.zeros(9, 1))
            )
            mean = reference.mean.detach().clone()
            action = mean + std * torch.from_numpy(nodes).unsqueeze(-1)
            cost = action.square() - mean.square() - std**2
            batch = replace(
                batch, action=action, reference=reference, log_prob=reference.log_prob(action),
                advantage=(action - mean).squeeze(-1), cost_advantage=cost,
                slack=budget - mean.square() - std**2, weight=torch.from_numpy(weight).unsqueeze(-1),
            )  # fmt: skip
            solver.solve(batch)
        assert float(parameters.vector[bias]) == pytest.approx(math.sqrt(budget - std**2), abs=2e-3)


def test_what_is_owed_is_the_integral_of_the_excess_and_holds_in_a_recovery() -> None:
    arrears = Arrears(0.25, torch.zeros(2))
    for slack, recovering, owed in (
        ([-1.0, 2.0], False, [0.25, 0.0]),
        ([-2.0, -4.0], False, [0.75, 1.0]),
        ([-2.0, 1.0], True, [0.75, 0.75]),
        ([4.0, 1.0], False, [0.0, 0.5]),
    ):
        arrears.after(torch.tensor(slack), recovering=recovering)
        assert arrears.owed.tolist() == owed


def test_a_step_that_is_owed_to_a_budget_is_that_of_a_tighter_one() -> None:
    """Owing nothing is owing nothing, bit for bit; and a gain of one owes the excess once more."""
    problem, start, batch = limited(2, [-0.004, 1e9])
    tighter = replace(batch, slack=torch.tensor([-0.008, 1e9], dtype=torch.float64).expand_as(batch.slack))
    moved = {}
    for name, given, integral in (
        ("as it is", batch, 0.0),
        ("never exceeded", replace(batch, slack=batch.slack.abs()), 1.0),
        ("the same without", replace(batch, slack=batch.slack.abs()), 0.0),
        ("owed", batch, 1.0),
        ("tighter", tighter, 0.0),
    ):
        vector = moved[name] = start.clone()
        report, _ = make(
            ConstrainedSolver, problem, vector, enforcement=ConstrainedStep(), integral=integral
        ).solve(given)
        assert float(report["step/slack/first"]) == pytest.approx(float(given.slack[0, 0]), abs=1e-9)
        assert float(report["step/arrears/first"]) == (0.004 if name == "owed" else 0.0)
    assert torch.equal(moved["never exceeded"], moved["the same without"])
    torch.testing.assert_close(moved["owed"], moved["tighter"], rtol=0.0, atol=1e-12)
    assert not torch.equal(moved["owed"], moved["as it is"])


@pytest.mark.parametrize(("gain", "left"), [(0.0, 0.2), (0.1, 0.0)])
def test_a_budget_is_met_though_steps_bring_back_a_tenth_of_what_they_say(gain: float, left: float) -> None:
    """A cost that drifts up by 0.02 per step: asked for the excess alone, steps leave ten times that."""
    arrears, excess = Arrears(gain, torch.zeros(1)), torch.tensor([0.3])
    for _ in range(300):
        arrears.after(-excess, recovering=False)
        excess = excess + 0.02 - 0.1 * (excess + arrears.owed)
    assert float(excess) == pytest.approx(left, abs=1e-4)


def test_what_is_owed_goes_on_where_it_was() -> None:
    problem, vector, batch = limited(2, [-0.004, 1e9])
    solver = make(ConstrainedSolver, problem, vector, enforcement=ConstrainedStep(), integral=0.5)
    solver.solve(batch)
    other = vector.clone()
    again = make(ConstrainedSolver, problem, other, enforcement=ConstrainedStep(), integral=0.5)
    again.load_state_dict(solver.state_dict())
    found, expected = again.solve(batch)[0], solver.solve(batch)[0]
    assert float(found["step/arrears/first"]) == float(expected["step/arrears/first"]) == 0.004
    assert torch.equal(vector, other)


def test_nothing_more_is_owed_after_a_recovery_which_a_state_knows_of() -> None:
    problem, vector, batch = limited(1, [-1.0, 1e9])
    settings = {"enforcement": ConstrainedStep(), "integral": 0.5}
    solver = make(ConstrainedSolver, problem, vector, **settings)
    report, _ = solver.solve(batch)
    assert case_of(report) == "recovery"
    again = make(ConstrainedSolver, problem, vector.clone(), **settings)
    again.load_state_dict(solver.state_dict())
    for one in (solver, again):
        assert float(one.solve(batch)[0]["step/arrears/first"]) == float(report["step/arrears/first"]) == 0.5


def test_a_learning_rate_gives_the_region_of_its_own_step() -> None:
    problem, vector, batch = limited(2, [-0.02, 1e9])
    before = vector.clone()
    gradient = -grad(lambda v: problem.loss(v, batch)[0])(before)
    step = LearningRate(Constant(0.1))
    free = make(NaturalGradientSolver, problem, vector, step=step)._propose(batch, gradient)
    solver = make(ConstrainedSolver, problem, vector, step=step, enforcement=ConstrainedStep())
    assert float(solver._propose(batch, gradient).kl) == pytest.approx(float(free.kl), rel=1e-6)


def test_trpo_under_a_multiplier_steps_along_the_mixed_gradient() -> None:
    """TRPO-Lagrangian by composition: the natural gradient of (g − λ a) / (1 + λ), as long as the region allows."""
    problem, vector, batch = limited(5)
    price = 0.7
    gain, cost = batch.advantage, batch.cost_advantage[:, 0]
    gradient = lambda advantage: (
        -grad(lambda v: problem.loss(v, replace(batch, advantage=advantage))[0])(vector)
    )
    mixed = replace(batch, advantage=(gain - price * cost) / (1.0 + price))
    solver = make(NaturalGradientSolver, problem, vector)
    found = solver._propose(mixed, gradient(mixed.advantage))
    slope = grad(lambda v: problem.costs(v, batch)[0])(vector)
    expected = solver._propose(batch, (gradient(gain) - price * slope) / (1.0 + price))
    torch.testing.assert_close(found.step, expected.step, rtol=1e-6, atol=1e-9)
