"""A deviation that reached its bound stays there as long as it is pushed, and comes back when it is asked to."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import pytest
import torch
from problems import make_problem
from torch import Tensor, nn
from torch.func import grad, vmap
from torch.utils import _pytree as pytree
from toys import make_policy

from pgrobot.batch import Batch
from pgrobot.errors import PgrobotError
from pgrobot.objectives import Entropy, Ratio
from pgrobot.policies import Policy
from pgrobot.policies.bounds import SoftBounds
from pgrobot.policies.heads.beta import BetaHead
from pgrobot.policies.heads.gaussian import GaussianHead
from pgrobot.policies.heads.state_std import StateStdHead
from pgrobot.solvers import (
    SGD,
    Adam,
    CompatibleFisher,
    Constant,
    FirstOrderSolver,
    FlatParameters,
    FullStep,
    GaussNewtonFisher,
    KLRadius,
    LearningRate,
    LineSearch,
    NaturalGradientSolver,
    PolicyProblem,
    RMSprop,
)

LOW, HIGH = -4.0, 1.0
OPTIMIZERS = [Adam(0.9, 0.999, 1e-8), SGD(0.0), SGD(0.9), RMSprop(0.99, 1e-8, "outside", 0.0)]
NATURAL = {
    "trpo": (LineSearch(10, 0.8), KLRadius(Constant(0.05)), GaussNewtonFisher(1.0)),
    "npg": (FullStep(), KLRadius(Constant(0.05)), GaussNewtonFisher(1.0)),
    "rate": (FullStep(), LearningRate(Constant(0.1)), CompatibleFisher(1.0)),
}


def posed(
    log_std: float, weight: float, bounds: tuple[float, float] = (LOW, HIGH), surrogate: float = 1.0
) -> Any:
    """Entropy at a weight beside a surrogate: a positive one asks for a greater deviation; parameters and batch."""
    _, _, batch = make_problem(actions=2)
    head = partial(GaussianHead, log_std=-0.5, log_std_bounds=bounds)
    policy = make_policy(actions=2, hidden=(12,), head=head).double()
    parameters = FlatParameters(policy)
    log_std_of(policy).fill_(log_std)
    terms = {"entropy": Entropy(weight)} | ({"surrogate": Ratio(surrogate)} if surrogate else {})
    return policy, parameters, PolicyProblem(policy, parameters, terms), at(policy, batch)


def log_std_of(policy: Policy) -> Tensor:
    return policy.get_parameter("head.log_std")


def at(policy: Policy, batch: Batch) -> Batch:
    """The same rows, acted on by the policy as it is."""
    with torch.no_grad():
        reference, _ = policy(batch.obs, batch.carry, batch.episode_start)
        reference = pytree.tree_map(torch.clone, reference)
    action = reference.sample(torch.Generator().manual_seed(0))
    return replace(batch, action=action, log_prob=reference.log_prob(action), reference=reference)


def first_order(vector: Tensor, problem: PolicyProblem, optimizer: Any, rate: float = 0.05) -> Any:
    return FirstOrderSolver(
        vector, problem, {"one": optimizer}, Constant(rate), 8, 1, math.inf, "norm", compile_steps=False,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip


def natural(kind: str, vector: Tensor, problem: PolicyProblem) -> NaturalGradientSolver:
    acceptance, step, fisher = NATURAL[kind]
    generator = torch.Generator().manual_seed(0)
    return NaturalGradientSolver(vector, problem, fisher, 1e-3, 10, 1e-10, step, acceptance, generator)


@pytest.mark.parametrize(("bound", "outward"), [(LOW, -1.0), (HIGH, 1.0)])
@pytest.mark.parametrize(
    "optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__ + str(getattr(o, "momentum", ""))
)
def test_first_order_steps_stay_at_a_bound_and_leave_it(optimizer: Any, bound: float, outward: float) -> None:
    policy, parameters, problem, batch = posed(bound - 0.01 * outward, outward, surrogate=0.0)
    solver = first_order(parameters.vector, problem, optimizer)
    for _ in range(3):
        solver.solve(batch)
        assert torch.equal(log_std_of(policy), torch.full((2,), bound).double()), (
            "momentum carries it no further"
        )
    at_bound = grad(lambda v: problem.loss(v, batch)[0])(parameters.vector)[parameters.slices["head.log_std"]]
    assert bool((at_bound * outward < -0.5).all()), "the gradient at a bound is that of anywhere else"
    problem.weights[0] = -outward
    for _ in range(3):
        solver.solve(batch)
    assert bool(((bound - log_std_of(policy)) * outward > 0.02).all()), "and it came back"


@pytest.mark.parametrize(("bound", "outward"), [(LOW, -1.0), (HIGH, 1.0)])
@pytest.mark.parametrize("kind", NATURAL)
def test_natural_steps_stay_at_a_bound_and_leave_it(kind: str, bound: float, outward: float) -> None:
    """What a line search accepts, and its KL, are those of the policy that is kept."""
    policy, parameters, problem, batch = posed(bound - 0.01 * outward, outward)
    solver = natural(kind, parameters.vector, problem)
    report, _ = solver.solve(batch)
    assert torch.equal(log_std_of(policy), torch.full((2,), bound).double())
    kept, _ = policy(batch.obs, batch.carry, batch.episode_start)
    assert float(report["policy/kl"]) == float(batch.reference.kl(kept).mean()) > 0.0
    if kind == "trpo":
        assert float(report["line_search/accepted"]) == 1.0
        assert float(report["policy/kl"]) <= 0.05
    problem.weights[0] = -outward
    solver.solve(at(policy, batch))
    assert bool(((bound - log_std_of(policy)) * outward > 0.02).all())


@pytest.mark.parametrize(("bound", "outward"), [(LOW, -1.0), (HIGH, 1.0)])
@pytest.mark.parametrize("kind", ["trpo", "npg"])
def test_a_held_parameter_takes_no_part_of_the_radius(kind: str, bound: float, outward: float) -> None:
    """At a bound and pushed against it, the deviation leaves the trust region to the mean."""
    policy, parameters, problem, batch = posed(bound, 100.0 * outward)
    before = parameters.vector.clone()
    report, _ = natural(kind, parameters.vector, problem).solve(batch)
    assert float(report["step/kl_predicted"]) == pytest.approx(0.05, rel=1e-9)
    assert float(report["policy/kl"]) > 0.02, "the deviation would take all but a thousandth of it"
    assert torch.equal(log_std_of(policy), torch.full((2,), bound).double())
    moved = (parameters.vector != before)[parameters.slices["body.layers.0.weight"]]
    assert bool(moved.any())


@pytest.mark.parametrize("kind", [*NATURAL, "first"])
def test_bounds_that_are_not_touched_change_nothing(kind: str) -> None:
    ends = []
    for bounds in ((LOW, HIGH), (-20.0, 20.0)):
        _, parameters, problem, batch = posed(-0.5, 1.0, bounds)
        vector = parameters.vector
        solver = (
            first_order(vector, problem, OPTIMIZERS[0]) if kind == "first" else natural(kind, vector, problem)
        )
        for _ in range(3):
            solver.solve(batch)
        ends.append(vector)
    assert torch.equal(*ends)


def test_a_state_from_beyond_a_bound_counts_as_the_bound() -> None:
    policy, *_ = posed(-0.5, 1.0)
    state = {name: value.clone() for name, value in policy.state_dict().items()}
    state["head.log_std"] += torch.tensor([-9.0, 9.0])
    policy.load_state_dict(state)
    assert log_std_of(policy).tolist() == [LOW, HIGH]


def test_a_module_declares_bounds_of_its_own_parameters_wherever_it_stands() -> None:
    class Bounded(nn.Linear):
        parameter_bounds: ClassVar = {"bias": (-1.0, math.inf)}

    flat = FlatParameters(nn.Sequential(nn.Linear(1, 2), Bounded(2, 2)))
    assert flat.lower.tolist() == [-math.inf] * 8 + [-1.0] * 2
    assert flat.upper.tolist() == [math.inf] * 10
    assert torch.equal(flat.project(torch.full((10,), -3.0)), torch.tensor([-3.0] * 8 + [-1.0] * 2))
    assert not flat.free(torch.full((10,), -1.0), torch.full((10,), -1.0))[8:].any()
    Bounded.parameter_bounds = {"bais": (0.0, 1.0)}
    with pytest.raises(PgrobotError, match=r"Bounded\.parameter_bounds names 'bais', .*did you mean 'bias'"):
        FlatParameters(Bounded(1, 1))


def test_soft_bounds_begin_as_the_identity_and_never_lose_their_slope() -> None:
    bounds = SoftBounds(-0.5, LOW, HIGH)
    far = torch.tensor([-1e4, -50.0, -4.0, -0.5, 1.0, 50.0, 1e4])
    value, slope = bounds(far), vmap(grad(bounds))(far)
    assert float(value[3]) == -0.5
    assert float(slope[3]) == 1.0
    assert bool((slope > 0.0).all())
    assert bool((slope <= 1.0).all())
    assert bool(((value >= LOW) & (value <= HIGH)).all())
    assert bool((value.diff() > 0.0).all())
    near = -0.5 + torch.linspace(-0.01, 0.01, 9)
    torch.testing.assert_close(bounds(near), near, rtol=0, atol=1e-6)
    one_sided = SoftBounds(1.5, -math.inf, math.inf)
    torch.testing.assert_close(one_sided(far), far, rtol=1e-6, atol=1e-6), "no bound, no change"
    exact = SoftBounds(-0.5, LOW, HIGH).double()
    points = torch.tensor([-3.0, -1.0, 0.5, 2.0]).double()
    second = vmap(grad(grad(exact)))(points)
    step = 1e-5
    numeric = (vmap(grad(exact))(points + step) - vmap(grad(exact))(points - step)) / (2 * step)
    torch.testing.assert_close(second, numeric, rtol=1e-6, atol=1e-8)


def network(kind: str, push: float) -> Policy:
    """A policy whose deviation or concentration is driven ``push`` beyond a bound, in the network's numbers."""
    head: Any = partial(StateStdHead, log_std=-0.5, log_std_bounds=(LOW, HIGH))
    driven = slice(2, None)
    if kind == "beta":
        head = partial(BetaHead, concentration=1.5, concentration_bounds=(1.0, 3.0))
        driven = slice(None)
    policy = make_policy(actions=2, hidden=(8,), head=head)
    with torch.no_grad():
        policy.output.bias[driven] += push
    return policy


@pytest.mark.parametrize(
    ("kind", "push"), [("state_std", 30.0), ("state_std", -30.0), ("beta", 30.0), ("beta", -30.0)]
)
def test_what_a_network_says_comes_back_from_beyond_its_bound(kind: str, push: float) -> None:
    policy = network(kind, push)
    parameters = FlatParameters(policy)
    problem = PolicyProblem(
        policy, parameters, {"entropy": Entropy(1.0 if (kind == "beta") == (push > 0.0) else -1.0)}
    )
    _, _, batch = make_problem(actions=2)
    rows = {name: value.float() for name, value in batch.obs.items()}
    with torch.no_grad():
        reference, _ = policy(rows, batch.carry, batch.episode_start)
    action = reference.mean
    batch = replace(batch, obs=rows, reference=reference, action=action, log_prob=reference.log_prob(action))
    loss = float(problem.loss(parameters.vector, batch)[0])
    solver = first_order(parameters.vector, problem, OPTIMIZERS[0], rate=1.0)
    for _ in range(6):
        solver.solve(batch)
    assert float(problem.loss(parameters.vector, batch)[0]) < loss - 0.5
    norms = problem.score_norm(parameters.vector, batch)
    assert bool(norms.isfinite().all())
