"""Two processes, here two threads, that agree at six places learn as one that has the environments of both."""

from __future__ import annotations

import copy
import dataclasses
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import torch
from problems import make_problem
from torch import Tensor
from torch.func import grad_and_value
from torch.utils import _pytree as pytree
from toys import ABOVE, TargetWorld, make

from pgrobot.batch import Batch
from pgrobot.constraints import Lagrangian
from pgrobot.learner import Learner
from pgrobot.objectives import BudgetPenalty, InteriorPoint, Ratio, ReverseKLPenalty
from pgrobot.objectives.budgets import predicted_excess
from pgrobot.reduce import ALONE, everywhere
from pgrobot.solvers import (
    SGD,
    Constant,
    ConstrainedSolver,
    ConstrainedStep,
    FirstOrderSolver,
    GaussNewtonFisher,
    KLRadius,
    LineSearch,
    NaturalGradientSolver,
    PolicyProblem,
    UpdateThenProjection,
)
from pgrobot.types import Rollout

NATURAL: Any = partial(
    NaturalGradientSolver,
    fisher=GaussNewtonFisher(1.0),
    damping=0.1,
    iterations=5,
    tolerance=1e-10,
    step=KLRadius(Constant(0.01)),
    acceptance=LineSearch(10, 0.8),
)
PLAIN: Any = {
    "chain": {"optimizer": SGD(0.0)},
    "rate": Constant(0.03),
    "minibatch": 1000,
    "epochs": 2,
    "target_kl": math.inf,
    "compile_steps": False,
}
BUDGETED: Any = {
    "cpo": partial(
        ConstrainedSolver,
        **{**NATURAL.keywords, "iterations": 20, "tolerance": 1e-12},
        enforcement=ConstrainedStep(),
        integral=0.1,
    ),
    "cup": partial(
        UpdateThenProjection,
        improvement=partial(FirstOrderSolver, gradient_metric="gradient/policy_norm", **PLAIN),
        projection=partial(FirstOrderSolver, gradient_metric="gradient/projection_norm", **PLAIN),
        objective={"cost": Ratio(1.0), "distance": ReverseKLPenalty(1.0)},
        discount=0.9,
        lam=0.5,
        learning_rate=1.0,
        initial=0.1,
        maximum=2.0,
    ),
}


class Meeting:
    """Where two threads hand each other what they have."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(2, timeout=60.0)
        self._brought = [torch.zeros(()), torch.zeros(())]

    def exchange(self, place: int, x: Tensor) -> list[Tensor]:
        self._brought[place] = x
        self._barrier.wait()
        both = list(self._brought)
        self._barrier.wait()
        return both


@dataclasses.dataclass(frozen=True)
class Half:
    """One of two processes."""

    meeting: Meeting
    place: int
    local = False

    def mean(self, x: Tensor) -> Tensor:
        return torch.stack(self.meeting.exchange(self.place, x)).mean(0)

    def gather(self, x: Tensor) -> Tensor:
        return torch.cat(self.meeting.exchange(self.place, x), 1)

    def own(self, x: Tensor) -> Tensor:
        return x.chunk(2, 1)[self.place]


class Counting:
    """A process that counts how often it was asked."""

    local = False

    def __init__(self) -> None:
        self.means = 0

    def mean(self, x: Tensor) -> Tensor:
        self.means += 1
        return x

    def gather(self, x: Tensor) -> Tensor:
        return x

    def own(self, x: Tensor) -> Tensor:
        return x


def learner_of(reduce: Any, natural: bool, minibatch: int) -> Learner:
    multiplier = Lagrangian((ABOVE,), ("reward", "cost/above"), "sgd", 0.5, 0.7, 10.0)
    options = {"minibatch": minibatch, "passes": 2, "reduce": reduce, "multiplier": multiplier}
    _, learner = make(TargetWorld(8, 0), cores=2, **options)
    if natural:
        learner.policy_solver = NATURAL(
            vector=learner.policy_vector.vector, problem=learner.problem, generator=torch.Generator()
        )
    return learner


def half_of(rollout: Rollout, place: int) -> Rollout:
    where = slice(4 * place, 4 * place + 4)

    def part(x: Any) -> Any:
        return {name: part(column) for name, column in x.items()} if isinstance(x, dict) else x[:, where]

    fields = {f.name for f in dataclasses.fields(Rollout)} - {"columns", "episodic", "telemetry"}
    return dataclasses.replace(rollout, **{name: part(getattr(rollout, name)) for name in fields})


@pytest.mark.parametrize("term", [BudgetPenalty(3.0, 0.2), InteriorPoint(1.0, 0.2, 20.0)])
@pytest.mark.parametrize("left", [0.1, 0.0, -0.1])
def test_what_is_no_mean_of_rows_has_the_gradient_of_the_whole(term: Any, left: float) -> None:
    """Halves on either side of a budget: one that only counted its own rows would be held by it, or not at all."""
    problem, vector, batch = make_problem()
    change = problem.distribution(vector, batch).log_prob(batch.action).detach()
    cost = torch.randn(64, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    there = vector + 0.1 * torch.randn(
        vector.shape, generator=torch.Generator().manual_seed(2), dtype=vector.dtype
    )
    rows = torch.argsort(
        (problem.distribution(there, batch).log_prob(batch.action) - change) * cost.squeeze(-1)
    )
    slack = torch.full((64, 1), left, dtype=torch.float64)
    batch = pytree.tree_map(lambda x: x[rows], dataclasses.replace(batch, cost_advantage=cost, slack=slack))
    meeting = Meeting()

    def told(reduce: Any, part: Batch) -> tuple[Tensor, Tensor]:
        policy = copy.deepcopy(problem._policy)  # calls at other parameters are for one thread at a time
        own = PolicyProblem(policy, problem.parameters, {"term": term}, reduce)
        slope, (loss, _) = grad_and_value(own.loss, has_aux=True)(there, part)
        return reduce.mean(slope), loss

    parts = [pytree.tree_map(lambda x, k=k: x[32 * k : 32 * k + 32], batch) for k in (0, 1)]
    own = [float(predicted_excess(problem.distribution(there, part), part, 0.2)) for part in parts]
    assert own[0] < 0.0 < own[1], "they disagree about the budget"
    slope, loss = told(ALONE, batch)
    with ThreadPoolExecutor(2) as threads:
        halves = list(threads.map(lambda k: told(Half(meeting, k), parts[k]), (0, 1)))
    for found, value in halves:
        torch.testing.assert_close(found, slope, rtol=1e-9, atol=1e-12)
        if isinstance(term, BudgetPenalty):
            torch.testing.assert_close(value, loss, rtol=1e-9, atol=1e-12)
    assert torch.equal(halves[0][0], halves[1][0])


@pytest.mark.parametrize(
    ("case", "left"), [("bound", (0.5, 0.05)), ("restoring", (-0.01, 0.02)), ("recovery", (-1.0, 0.02))]
)
@pytest.mark.parametrize("kind", ["cpo", "cup"])
def test_halves_keep_to_the_budgets_of_the_whole(kind: str, case: str, left: tuple[float, ...]) -> None:
    """In a second pass, where costs have changed since the rollout, in each half otherwise."""
    problem, vector, batch = make_problem()
    cost = torch.randn(64, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    cost = torch.where(torch.arange(64).unsqueeze(-1) < 32, 3.0 * cost, cost.flip(-1))
    slack = torch.tensor(left, dtype=torch.float64).expand(64, 2)
    batch = dataclasses.replace(batch, cost_advantage=cost - cost.mean(0), slack=slack)

    def steps(reduce: Any, part: Batch) -> tuple[Tensor, list[dict[str, Tensor]]]:
        mine = copy.deepcopy(problem.parameters)
        own = PolicyProblem(
            copy.deepcopy(problem._policy), mine, problem._terms, reduce, constraints=["one", "other"]
        )
        parameters = vector.clone()
        given = {"vector": parameters, "problem": own, "generator": torch.Generator().manual_seed(0)}
        solver: Any = BUDGETED[kind](**given)
        told = []
        for _ in range(2):
            solver.anneal(0.0)
            told.append(dict(solver.solve(part)[0]))
        return parameters, told

    meeting = Meeting()
    parts = [pytree.tree_map(lambda x, k=k: x[32 * k : 32 * k + 32], batch) for k in (0, 1)]
    with ThreadPoolExecutor(2) as threads:
        (one, told), (other, _) = threads.map(lambda k: steps(Half(meeting, k), parts[k]), (0, 1))
    whole, expected = steps(ALONE, batch)
    assert not torch.equal(whole, vector)
    assert torch.equal(one, other)
    torch.testing.assert_close(one, whole, rtol=1e-7, atol=1e-9)
    if kind == "cpo":
        assert expected[0][f"step/case/{case}"] == 1.0
    for mine, theirs in zip(told, expected, strict=True):
        assert mine.keys() == theirs.keys()
        for key in (key for key in theirs if key.startswith(("step/", "line_search/", "policy/kl"))):
            assert float(mine[key]) == pytest.approx(float(theirs[key]), rel=1e-5, abs=1e-8), key


def test_who_trains_alone_asks_nobody() -> None:
    """Bit for bit: the very tensor."""
    x = torch.ones(2, requires_grad=True)
    assert everywhere(ALONE, x) is x


@pytest.mark.parametrize("natural", [False, True])
def test_two_halves_learn_what_the_whole_does(natural: bool) -> None:
    """In one minibatch, as shuffles differ; with a multiplier that moves and normalisers that merge."""
    collector, _ = make(TargetWorld(8, 0))
    rollouts = [collector.collect()["robot"] for _ in range(2)]
    whole = learner_of(ALONE, natural, 128)
    expected = [whole.update(rollout) for rollout in rollouts]
    meeting = Meeting()
    halves = [learner_of(Half(meeting, place), natural, 64) for place in (0, 1)]

    def learn(place: int) -> list[dict[str, float]]:
        return [halves[place].update(half_of(rollout, place)) for rollout in rollouts]

    with ThreadPoolExecutor(2) as threads:
        told = list(threads.map(learn, (0, 1)))
    for name in ("policy_vector", "critic_vector"):
        one, other = (getattr(half, name).vector for half in halves)
        assert torch.equal(one, other), "they stay equal to the last bit"
        torch.testing.assert_close(one, getattr(whole, name).vector, rtol=1e-3, atol=2e-5)
    for key in ("cost/above/mean", "policy/kl", "objective/surrogate", "gradient/policy_norm"):
        for index, metrics in enumerate(expected):
            assert told[0][index][key] == pytest.approx(metrics[key], rel=2e-3, abs=1e-6), key
    for part in ("policy", "critic"):
        first, *others = (getattr(a, part).normalizer.moments.mean for a in (whole, *halves))
        torch.testing.assert_close(others[0], first)
        assert torch.equal(*others)


def test_what_asks_others_is_not_compiled() -> None:
    """A compiled step asks once, when it is traced: other processes have to be asked at every one of four."""
    reduce = Counting()
    collector, learner = make(TargetWorld(4, 0), reduce=reduce)
    solver = FirstOrderSolver(
        vector=learner.policy_vector.vector,
        problem=learner.problem,
        chain={"optimizer": SGD(0.0)},
        rate=Constant(0.1),
        minibatch=16,
        epochs=1,
        target_kl=math.inf,
        gradient_metric="gradient",
        compile_steps=True,
        generator=torch.Generator(),
    )
    batch = learner.pose(collector.collect()["robot"]).policy
    reduce.means = 0
    solver.solve(batch)
    assert reduce.means == 4 + 1, "the last for the report"
