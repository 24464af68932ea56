"""What keeps to budgets by itself: terms and steps against their formulas, and what is nothing, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from problems import at, make_problem
from torch import Tensor
from torch.func import grad, jacrev
from torch.utils import _pytree as pytree

from pgrobot.batch import Batch
from pgrobot.compilation.trace import trace
from pgrobot.distributions import Gaussian
from pgrobot.objectives import (
    BudgetPenalty,
    ClippedRatio,
    GatedRatio,
    InteriorPoint,
    Objective,
    Ratio,
    ReverseKLPenalty,
)
from pgrobot.objectives.budgets import predicted_excess
from pgrobot.solvers import (
    Adam,
    ClipByGlobalNorm,
    Constant,
    FirstOrderSolver,
    Linear,
    PolicyProblem,
    UpdateThenProjection,
)

CLIP = 0.2


def posed(slack: tuple[float, ...], seed: int = 0) -> tuple[PolicyProblem, Tensor, Batch]:
    """A network's problem on 64 rows with costs that are centred, as a learner poses it."""
    problem, vector, batch = make_problem(seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    cost = torch.randn(64, len(slack), generator=generator, dtype=torch.float64)
    left = torch.tensor(slack, dtype=torch.float64).expand(64, len(slack))
    problem.constraints = tuple("abc"[: len(slack)])
    return problem, vector, replace(batch, cost_advantage=cost - cost.mean(0), slack=left)


def away(vector: Tensor, size: float = 0.2) -> Tensor:
    return vector + size * torch.randn(
        vector.shape, generator=torch.Generator().manual_seed(7), dtype=vector.dtype
    )


def value(term: Objective, problem: PolicyProblem, vector: Tensor, batch: Batch) -> Tensor:
    return term(problem.at(vector, batch), batch)[0]


def slope(term: Objective, problem: PolicyProblem, vector: Tensor, batch: Batch) -> Tensor:
    return grad(lambda v: value(term, problem, v, batch))(vector)


@pytest.mark.parametrize(
    ("term", "slack"),
    [
        (BudgetPenalty(1.0, CLIP), (-0.3, 0.4)),  # one beyond its budget
        (InteriorPoint(1.0, CLIP, 20.0), (0.5, 0.4)),
        (InteriorPoint(1.0, CLIP, 20.0), (-0.3, 0.4)),  # outside of the domain
        (GatedRatio(1.0, 1.5, 0.02), ()),
        (ReverseKLPenalty(1.0), ()),
    ],
)
def test_gradients_are_finite_differences(term: Objective, slack: tuple[float, ...]) -> None:
    problem, vector, batch = posed(slack)
    here = away(vector, 0.02)
    direction = torch.randn(vector.shape, generator=torch.Generator().manual_seed(3), dtype=vector.dtype)
    width = 1e-6
    ends = [value(term, problem, here + sign * width * direction, batch) for sign in (1.0, -1.0)]
    found = slope(term, problem, here, batch) @ direction
    assert float(found) == pytest.approx(float((ends[0] - ends[1]) / (2 * width)), rel=1e-5, abs=1e-8)
    assert abs(float(found)) > 1e-3


def test_the_excess_is_what_solvers_are_told_and_of_a_minibatch_too_where_it_begins() -> None:
    problem, vector, batch = posed((0.1, -0.2, 0.0))
    there = away(vector)
    found = predicted_excess(problem.distribution(there, batch), batch, math.inf)
    torch.testing.assert_close(found, problem.costs(there, batch) - batch.slack[0], rtol=1e-12, atol=1e-12)
    few = pytree.tree_map(lambda x: x[:8], batch)
    assert few.cost_advantage.mean(0).abs().min() > 0.01, "a minibatch's own costs are not centred"
    torch.testing.assert_close(
        predicted_excess(problem.distribution(vector, few), few, CLIP),
        -batch.slack[0],
        rtol=1e-12,
        atol=1e-15,
    )
    # ... and in the mean of all minibatches it is the rollout's anywhere
    each = [pytree.tree_map(lambda x, k=k: x[8 * k : 8 * k + 8], batch) for k in range(8)]
    means = torch.stack([predicted_excess(problem.distribution(there, b), b, CLIP) for b in each]).mean(0)
    torch.testing.assert_close(means, predicted_excess(problem.distribution(there, batch), batch, CLIP))


def test_the_clipped_maximum_by_hand() -> None:
    """E[max(ρ A, clip(ρ) A)] − slack: a row that has fallen in cost beyond the interval counts up to its end."""
    ratio = torch.tensor([0.5, 0.5, 1.7, 1.7], dtype=torch.float64)
    cost = torch.tensor([1.0, -1.0, 2.0, -2.0], dtype=torch.float64)
    expected = (0.8 * 1.0 + -1.0 * 0.5 + 2.0 * 1.7 + -2.0 * 1.2) / 4 - 0.25
    whole = posed((0.25,))[2]
    batch = replace(pytree.tree_map(lambda x: x[:4], whole), cost_advantage=cost.unsqueeze(-1))

    class Given:
        def log_prob(self, action: Tensor) -> Tensor:
            return batch.log_prob + ratio.log()

    found: Any = predicted_excess(Given(), batch, CLIP)  # type: ignore[arg-type]
    assert found.tolist() == pytest.approx([expected])
    assert float(BudgetPenalty(5.0, CLIP)(at(Given()), batch)[0]) == pytest.approx(-expected)  # type: ignore[arg-type]


def test_the_penalty_is_a_step_in_the_slope_of_every_cost_by_itself() -> None:
    """κ ∇E[ρ A_k] where the budget is exceeded, exactly nothing where it is kept."""
    problem, vector, batch = posed((-0.1, 0.1, -0.3))
    costs = jacrev(problem.costs)(vector, batch)
    found = slope(BudgetPenalty(1.0, CLIP), problem, vector, batch)
    torch.testing.assert_close(found, -(costs[0] + costs[2]), rtol=1e-10, atol=1e-12)
    kept = replace(batch, slack=batch.slack.abs())
    assert not slope(BudgetPenalty(1.0, CLIP), problem, vector, kept).any()


def test_the_barrier_prices_a_cost_by_what_is_left_and_outside_of_it_the_largest_violation_is_all() -> None:
    problem, vector, batch = posed((0.1, 0.4))
    costs = jacrev(problem.costs)(vector, batch)
    term = InteriorPoint(1.0, CLIP, 20.0)
    reward = slope(ClippedRatio(1.0, CLIP), problem, vector, batch)
    inside = slope(term, problem, vector, batch)
    torch.testing.assert_close(inside, reward - costs[0] / (20.0 * 0.1) - costs[1] / (20.0 * 0.4))
    for left, worst in (((-0.1, 0.4), 0), ((-0.1, -0.4), 1), ((0.0, 0.4), 0)):
        beyond = replace(batch, slack=torch.tensor(left, dtype=torch.float64).expand(64, 2))
        torch.testing.assert_close(slope(term, problem, vector, beyond), -costs[worst])
        told = term(problem.at(vector, beyond), beyond)[1]
        assert float(told["policy/recovery"]) == 1.0
        assert float(told["policy/cost_excess"]) == pytest.approx(-min(left), abs=1e-15)


def test_focops_gradient_is_the_papers_times_minus_the_temperature() -> None:
    """1{KL ≤ δ} (∇KL(π ‖ μ) − E[∇ρ A] / λ), state by state, of Gaussians written out."""
    rows, temperature = 6, 1.5
    generator = torch.Generator().manual_seed(2)
    old, noise = torch.randn(2, rows, 1, generator=generator, dtype=torch.float64)
    moved = old + torch.linspace(0.0, 0.5, rows, dtype=torch.float64).unsqueeze(-1)
    flat = torch.zeros(rows, 1, dtype=torch.float64)
    reference, action = Gaussian(old, flat), old + noise
    _, _, whole = posed(())
    advantage = torch.randn(rows, generator=generator, dtype=torch.float64)
    batch = replace(
        pytree.tree_map(lambda x: x[:rows], whole),
        reference=reference,
        action=action,
        log_prob=reference.log_prob(action),
        advantage=advantage,
    )
    bound, spread = 0.06, 0.2  # of the log-deviation: the two divergences are not the same
    wide = torch.full_like(flat, spread)
    term = GatedRatio(1.0, temperature, bound)
    found = grad(lambda mean: term(at(Gaussian(mean, wide)), batch)[0])(moved)
    gap, variance = (moved - old).squeeze(-1), math.exp(2 * spread)
    back = (action - moved).squeeze(-1)
    ratio = torch.exp(-0.5 * back.square() / variance - spread + 0.5 * noise.squeeze(-1).square())
    divergence = 0.5 * (variance + gap.square() - 1.0) - spread  # KL(π ‖ μ), μ of deviation 1
    near = (divergence <= bound).double()
    assert 0.0 < float(near.mean()) < 0.5
    papers = near * (gap - ratio * back / variance * advantage / temperature) / rows
    torch.testing.assert_close(found.squeeze(-1), -temperature * papers, rtol=1e-12, atol=1e-14)
    told = term(at(Gaussian(moved, wide)), batch)[1]
    assert float(told["policy/gated"]) == pytest.approx(1.0 - float(near.mean()))


def descent(epochs: int = 3, **changes: Any) -> Any:
    chain = {"clip": ClipByGlobalNorm(0.5), "optimizer": Adam(0.9, 0.999, 1e-5)}
    arguments = {
        "chain": chain,
        "rate": Constant(0.01),
        "minibatch": 16,
        "epochs": epochs,
        "target_kl": math.inf,
        "gradient_metric": "gradient/policy_norm",
        "compile_steps": False,
    }
    return partial(FirstOrderSolver, **(arguments | changes))


def learnt(
    terms: Mapping[str, Objective], slack: tuple[float, ...], solver: Any = None, updates: int = 2
) -> tuple[Tensor, Any]:
    """Where some updates lead, and by what."""
    problem, vector, batch = posed(slack)
    generator = torch.Generator().manual_seed(5)
    built = (solver or descent())(vector=vector, problem=problem.with_terms(terms), generator=generator)
    for _ in range(updates):
        built.anneal(0.0)
        built.solve(batch)
    return vector, built


PPO = {"surrogate": ClippedRatio(1.0, CLIP)}


def test_what_is_nothing_is_bit_for_bit_ppo() -> None:
    plain = learnt(PPO, (-0.1, 0.2))[0]
    nothing = {
        "P3O, κ = 0": learnt({**PPO, "penalty": BudgetPenalty(0.0, CLIP)}, (-0.1, 0.2))[0],
        "P3O, no budget": learnt({**PPO, "penalty": BudgetPenalty(20.0, CLIP)}, ())[0],
        "IPO, no budget": learnt({"surrogate": InteriorPoint(1.0, CLIP, 20.0)}, ())[0],
        "CUP, ν = 0": learnt(PPO, (-0.1, 0.2), cup(maximum=0.0))[0],
        "CUP, no budget": learnt(PPO, (), cup())[0],
    }
    for name, vector in nothing.items():
        assert torch.equal(vector, plain), name
    for terms in (
        {**PPO, "penalty": BudgetPenalty(1.0, CLIP)},
        {"surrogate": InteriorPoint(1.0, CLIP, 20.0)},
    ):
        assert not torch.equal(learnt(terms, (-0.1, 0.2))[0], plain)


def cup(**changes: Any) -> Any:
    arguments = {
        "improvement": descent(),
        "projection": descent(epochs=2, gradient_metric="gradient/projection_norm"),
        "objective": {"cost": Ratio(1.0), "distance": ReverseKLPenalty(1.0)},
        "discount": 0.9,
        "lam": 0.5,
        "learning_rate": 1.0,
        "initial": 0.0,
        "maximum": 2.0,
    }
    return partial(UpdateThenProjection, **(arguments | changes))


def test_each_price_takes_one_projected_step_per_update() -> None:
    _, solver = learnt(PPO, (-0.3, 0.2, -1.5), cup(initial=0.1), updates=2)
    assert solver.state_dict()["price"].tolist() == pytest.approx([0.7, 0.0, 2.0])  # a maximum of 2
    problem, vector, batch = posed((-0.3,))
    built = cup()(vector=vector, problem=problem.with_terms(PPO), generator=torch.Generator().manual_seed(5))
    built.anneal(0.0)
    for _ in range(3):  # passes over the same rollout
        report = built.solve(batch)[0]
        assert float(report["projection/price/a"]) == pytest.approx(0.3)


def test_the_projection_begins_where_the_improvement_ends_and_is_measured_from_there() -> None:
    """The same two problems, posed one after the other by hand."""
    slack = (-0.3, 0.2, -0.1)
    found, _ = learnt(PPO, slack, cup(), updates=1)
    problem, vector, batch = posed(slack)
    generator = torch.Generator().manual_seed(5)
    descent()(vector=vector, problem=problem.with_terms(PPO), generator=generator).solve(batch)
    half = pytree.tree_map(torch.clone, problem.distribution(vector.clone(), batch))
    worth = (1 - 0.9 * 0.5) / (1 - 0.9)
    cost = worth * (0.3 * batch.cost_advantage[:, 0] + 0.1 * batch.cost_advantage[:, 2])
    terms = {"cost": Ratio(1.0), "distance": ReverseKLPenalty(1.0)}
    project = descent(epochs=2)(vector=vector, problem=problem.with_terms(terms), generator=generator)
    project.solve(replace(batch, advantage=-cost, reference=half))
    torch.testing.assert_close(found, vector, rtol=1e-12, atol=1e-14)


def test_cup_tells_how_far_it_went_as_a_whole_and_continues_bit_for_bit() -> None:
    whole, solver = learnt(PPO, (-0.3,), cup(), updates=2)
    problem, vector, batch = posed((-0.3,))
    generator = torch.Generator().manual_seed(5)
    first = cup()(vector=vector, problem=problem.with_terms(PPO), generator=generator)
    first.anneal(0.0)
    report, stop = first.solve(batch)
    assert not stop
    assert float(report["policy/kl"]) == pytest.approx(float(problem.kl(vector, batch)), rel=1e-12)
    assert float(report["projection/kl"]) > 0.0
    second = cup()(vector=vector, problem=problem.with_terms(PPO), generator=torch.Generator())
    second.load_state_dict(first.state_dict())
    second.anneal(0.0)
    second.solve(batch)
    assert torch.equal(vector, whole)
    assert solver.state_dict()["price"].tolist() == pytest.approx([0.6])


def test_what_both_solvers_of_cup_are_told_reaches_both() -> None:
    problem, vector, _ = posed((-0.3,))
    falling = {
        "improvement": descent(rate=Linear(0.01, 0.0)),
        "projection": descent(rate=Linear(0.02, 0.01), gradient_metric="gradient/projection_norm"),
    }
    made = cup(**falling)(
        vector=vector, problem=problem.with_terms(PPO), generator=torch.Generator().manual_seed(5)
    )
    made.anneal(0.5)
    assert made._improvement.rate == pytest.approx(0.005)
    assert made._projection.rate == pytest.approx(0.015)
    assert made.rate == made._improvement.rate
    before = made.state_dict()
    for name in falling:
        for moment in before[name]["moments"]:
            moment.fill_(1.0)
    made.load_state_dict(before)
    made.rescale(torch.full_like(vector, 3.0))
    after = made.state_dict()
    for name in falling:
        assert [float(moment.max()) for moment in after[name]["moments"]][:2] == [3.0, 9.0], name


def test_a_traced_step_reads_the_slack_of_its_own_batch() -> None:
    """It is an argument of what is compiled, and no number that was there when it was traced."""
    problem, vector, batch = posed((-0.3, 0.1))
    for term in (BudgetPenalty(1.0, CLIP), InteriorPoint(1.0, CLIP, 20.0)):
        terms = problem.with_terms({"term": term})
        solver = descent(minibatch=64)(vector=vector, problem=terms, generator=torch.Generator())
        leaves, solver._step.structure = pytree.tree_flatten(batch)
        arguments = (torch.tensor(0.01, dtype=torch.float64), vector, *solver._moments, *leaves)
        slack = next(index for index, x in enumerate(arguments) if x is batch.slack)
        assert slack in trace(solver._step, arguments).reads


def test_in_later_passes_the_excess_is_still_that_of_the_policy_that_acted() -> None:
    """Advantages of the policy that a pass begins with, on rows of the one that acted: the change from the latter.

    Summed over all steps, states and actions of a process with three steps; what is left is of second order.
    """
    generator = torch.Generator().manual_seed(4)
    move = torch.rand(2, 2, 2, generator=generator, dtype=torch.float64)
    move, cost = move / move.sum(-1, keepdim=True), torch.rand(2, 2, generator=generator, dtype=torch.float64)
    acted, one, two = torch.randn(3, 2, 2, generator=generator, dtype=torch.float64)
    start, steps = torch.tensor([0.3, 0.7], dtype=torch.float64), 3

    def values(policy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Visits ``[H, S]``, ``Q`` ``[H, S, A]`` and the expected cost of an episode."""
        after, found, visits = torch.zeros(2, dtype=torch.float64), [], [start]
        for _ in range(steps):
            found.insert(0, cost + move @ after)
            after = (policy * found[0]).sum(-1)
        for _ in range(steps - 1):
            visits.append(torch.einsum("s,sa,sat->t", visits[-1], policy, move))
        return torch.stack(visits), torch.stack(found), start @ after

    def error(size: float) -> tuple[float, float]:
        """Of the excess, and of the change that it stands for."""
        mu, begun, policy = (x.softmax(-1) for x in (acted, acted + size * one, acted + size * two))
        visits, _, spent = values(mu)
        _, q, _ = values(begun)
        advantage = q - (begun * q).sum(-1, keepdim=True)
        weight = visits.unsqueeze(-1) * mu / steps
        rows = lambda x: x.expand(steps, 2, 2).reshape(-1)
        centred = rows(advantage) - (rows(weight) * rows(advantage)).sum()
        nothing = torch.zeros(12, 1, dtype=torch.float64)
        batch = replace(
            pytree.tree_map(lambda x: x[:12], posed(())[2]),
            log_prob=rows(mu.log()),
            weight=rows(weight).unsqueeze(-1),
            cost_advantage=centred.unsqueeze(-1),
            slack=nothing,
        )

        class Given:
            def log_prob(self, action: Tensor) -> Tensor:
                return rows(policy.log())

        found = float(predicted_excess(Given(), batch, math.inf))  # type: ignore[arg-type]
        change = float(values(policy)[2] - spent) / steps
        return abs(found - change), abs(change)

    (far, moved), (near, _) = error(0.02), error(0.01)
    assert far < 0.05 * moved
    assert far / near == pytest.approx(4.0, rel=0.1), "what is left falls with the square of the way"


def test_rows_that_do_not_count_and_chunks_change_nothing() -> None:
    """The same rows as chunks ``[B, L]``, padding among them."""
    problem, vector, batch = posed((-0.1, 0.3))
    there = problem.distribution(away(vector), batch)
    for term in (BudgetPenalty(1.0, CLIP), InteriorPoint(1.0, CLIP, 20.0), GatedRatio(1.0, 1.5, 0.02)):
        plain = float(term(at(there), batch)[0])
        padded = pytree.tree_map(
            lambda x: torch.cat([x, x[:16] + (3.0 if x.is_floating_point() else 0)]), batch
        )
        counts = torch.cat([torch.ones(64, 1), torch.zeros(16, 1)]).double()
        padded = replace(
            padded, weight=counts, slack=batch.slack[:1].expand(80, 2), log_prob=padded.log_prob.clamp(-5, 5)
        )
        chunks = pytree.tree_map(lambda x: x.view(16, 5, *x.shape[1:]) if x.shape[0] == 80 else x, padded)
        longer = pytree.tree_map(
            lambda x: torch.cat([x, x[:16]]).view(16, 5, *x.shape[1:]), pytree.tree_map(torch.clone, there)
        )
        assert float(term(at(longer), chunks)[0]) == pytest.approx(plain, rel=1e-9), type(term).__name__
