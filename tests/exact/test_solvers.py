"""The flat vector, Adam and minibatch descent against torch and against their definitions."""

from __future__ import annotations

import itertools
import math
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from pgrobot.errors import PgrobotError
from pgrobot.solvers import (
    SGD,
    Adam,
    ClipByGlobalNorm,
    Constant,
    FirstOrderSolver,
    FlatParameters,
    GroupRates,
    KLAdaptive,
    Linear,
    Link,
    Report,
    Unbounded,
    WeightDecay,
)
from pgrobot.types import State

Rows = dict[str, Tensor]  # any pytree of rows will do


def make_batch(count: int) -> Rows:
    """Numbered rows with a target linear in what is observed."""
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    return {"x": x, "y": x @ torch.tensor([1.0, -2.0, 0.5]), "row": torch.arange(float(count))}


class LeastSquares(Unbounded):
    """A quadratic loss in three parameters; remembers which rows it was asked about."""

    def __init__(self) -> None:
        self.seen: list[list[float]] = []

    def loss(self, vector: Tensor, batch: Rows) -> tuple[Tensor, Report]:
        error = batch["x"] @ vector - batch["y"]
        loss = error.square().mean()
        self.seen.append(batch["row"].tolist())
        return loss, {"loss": loss, "policy/kl": error.detach().abs().mean()}


ADAM = Adam(0.9, 0.999, 1e-8)


def make_solver(
    vector: Tensor, problem: LeastSquares, optimizer: Link = ADAM, max_norm: float = math.inf, **changes: Any
) -> FirstOrderSolver:
    arguments = {
        "chain": {"clip": ClipByGlobalNorm(max_norm), "optimizer": optimizer},
        "rate": Constant(0.05),
        "minibatch": 8,
        "epochs": 1,
        "target_kl": math.inf,
        "gradient_metric": "gradient/norm",
        "compile_steps": False,
        "generator": torch.Generator().manual_seed(1),
    }
    return FirstOrderSolver(vector, problem, **(arguments | changes))


def test_flat_parameters_are_the_module() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    before = {name: value.clone() for name, value in module.named_parameters()}
    flat = FlatParameters(module)
    assert len(flat) == flat.vector.numel() == 3 * 4 + 4 + 4 * 2 + 2
    for name, view in flat.views(flat.vector).items():
        assert torch.equal(view, before[name])
    flat.vector.zero_()
    assert all(float(p.detach().abs().max()) == 0 for p in module.parameters())
    with torch.no_grad():
        module[2].bias.fill_(3.0)
    assert torch.equal(flat.vector[flat.slices["2.bias"]], torch.full((2,), 3.0))
    assert flat.slices["0.weight"] == slice(0, 12)


@pytest.mark.parametrize("epsilon", [1e-8, 1e-5])
def test_adam_equals_torch(epsilon: float) -> None:
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(7, generator=generator, dtype=torch.float64)
    theirs = nn.Parameter(ours.clone())
    peer = torch.optim.Adam([theirs], lr=0.1, betas=(0.8, 0.99), eps=epsilon)
    adam = Adam(0.8, 0.99, epsilon)
    moments = adam.initial(ours)
    for _ in range(20):
        gradient = torch.randn(7, generator=generator, dtype=torch.float64)
        step, moments = adam.step(gradient, moments, ours, torch.tensor(0.1, dtype=torch.float64))
        ours = ours - step
        theirs.grad = gradient
        peer.step()
    # The count of steps is float32: its powers carry one part in 10⁷.
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-6, atol=1e-7)


def test_adams_first_step_is_the_sign_of_the_gradient() -> None:
    adam = Adam(0.9, 0.999, 0.0)
    gradient = torch.tensor([1e-6, -3.0, 1e4])
    step, _ = adam.step(gradient, adam.initial(torch.zeros(3)), torch.zeros(3), torch.tensor(0.1))
    torch.testing.assert_close(step, 0.1 * gradient.sign())


@pytest.mark.parametrize(("rows", "minibatch"), [(64, 8), (48, 16), (24, 8), (7, 7), (5, 1)])
def test_every_pass_visits_every_row_once(rows: int, minibatch: int) -> None:
    problem = LeastSquares()
    make_solver(torch.zeros(3), problem, minibatch=minibatch, epochs=2).solve(make_batch(rows))
    visits = problem.seen
    half = rows // minibatch
    assert len(visits) == 2 * half
    assert all(len(rows_of_step) == minibatch for rows_of_step in visits)
    for part in (visits[:half], visits[half:]):
        assert sorted(itertools.chain.from_iterable(part)) == list(map(float, range(rows)))
    if rows > minibatch > 1:
        assert visits[:half] != visits[half:], "the second pass is shuffled anew"


@pytest.mark.parametrize("minibatch", [1, 8, 32])
def test_the_mean_of_minibatch_gradients_is_the_full_gradient(minibatch: int) -> None:
    batch = {name: column.double() for name, column in make_batch(32).items()}
    start = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    gradient = torch.func.grad(lambda v: LeastSquares().loss(v, batch)[0])(start)
    # so short that every minibatch meets the same parameters, up to something of the order of the rate
    rate, vector = 1e-7, start.clone()
    make_solver(
        vector, LeastSquares(), optimizer=SGD(momentum=0.0), rate=Constant(rate), minibatch=minibatch
    ).solve(batch)
    mean = (start - vector) / (rate * (32 // minibatch))
    torch.testing.assert_close(mean, gradient, rtol=0, atol=1e-4)
    assert float(gradient.abs().min()) > 0.1


def test_one_full_batch_step_is_one_adam_step_on_the_clipped_gradient() -> None:
    batch, vector = make_batch(16), torch.tensor([0.1, 0.2, 0.3])
    gradient = torch.func.grad(lambda v: LeastSquares().loss(v, batch)[0])(vector)
    norm = float(gradient.norm())
    adam = Adam(0.9, 0.999, 1.0)  # with a large epsilon Adam's step depends on the gradient's size
    step, _ = adam.step(gradient * (0.5 / norm), adam.initial(vector), vector, torch.tensor(0.05))
    expected = vector - step
    report, _ = make_solver(vector, LeastSquares(), minibatch=16, optimizer=adam, max_norm=0.5).solve(batch)
    torch.testing.assert_close(vector, expected)
    assert float(report["gradient/norm"]) == pytest.approx(norm, rel=1e-5)
    assert norm > 0.5


def test_descends_to_the_least_squares_solution() -> None:
    vector = torch.zeros(3)
    solver = make_solver(vector, LeastSquares(), epochs=60)
    solver.solve(make_batch(64))
    torch.testing.assert_close(vector, torch.tensor([1.0, -2.0, 0.5]), rtol=0, atol=1e-2)


def test_compiled_and_eager_steps_are_equal() -> None:
    vectors = []
    for compile_steps in (False, True):
        vector = torch.tensor([0.1, 0.2, 0.3])
        solver = make_solver(vector, _Pure(), epochs=3, compile_steps=compile_steps, chain=EVERY_LINK)
        report, _ = solver.solve(make_batch(64))
        vectors.append((vector, report["loss"], report["gradient/norm"]))
        assert float(vector[0]) == _Pure.greatest, "it asked for more"
    for eager, fused in zip(*vectors, strict=True):
        torch.testing.assert_close(fused, eager, rtol=1e-6, atol=1e-7)


EVERY_LINK = {
    "clip": ClipByGlobalNorm(0.5),
    "adam": ADAM,
    "decay": WeightDecay(0.1, "matrices"),
    "groups": GroupRates({"rest": 0.5}),
}


class _Pure(LeastSquares):
    """Without the memory, which a compiled graph cannot keep, and with a bound on the first parameter."""

    greatest = 0.25
    upper = torch.tensor([greatest, math.inf, math.inf])
    layout: ClassVar = {"first": torch.Size([1]), "rest": torch.Size([1, 2])}

    def project(self, vector: Tensor) -> Tensor:
        return vector.clamp(-self.upper, self.upper)

    def loss(self, vector: Tensor, batch: Rows) -> tuple[Tensor, Report]:
        error = batch["x"] @ vector - batch["y"]
        return error.square().mean(), {"loss": error.square().mean(), "policy/kl": error.abs().mean()}


def test_a_minibatch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(PgrobotError, match=r"minibatch of 10 does not divide the batch of 64 rows.* is 8"):
        make_solver(torch.zeros(3), LeastSquares(), minibatch=10).solve(make_batch(64))


def test_stops_at_the_first_pass_that_moves_too_far() -> None:
    problem = LeastSquares()
    _, stop = make_solver(torch.zeros(3), problem, epochs=5, target_kl=1e-3).solve(make_batch(64))
    assert stop
    assert len(problem.seen) == 8, "one pass of eight minibatches"
    _, stop = make_solver(torch.zeros(3), LeastSquares(), epochs=5).solve(make_batch(64))
    assert not stop


def test_state_continues_bit_for_bit() -> None:
    batch = make_batch(64)
    straight, halves = torch.zeros(3), torch.zeros(3)
    solver = make_solver(straight, LeastSquares())
    for _ in range(4):
        solver.solve(batch)
    first = make_solver(halves, LeastSquares())
    for _ in range(2):
        first.solve(batch)
    state: State = first.state_dict()
    second = make_solver(halves, LeastSquares(), generator=torch.Generator().manual_seed(99))
    second.load_state_dict(state)
    for _ in range(2):
        second.solve(batch)
    assert torch.equal(straight, halves)


def test_rates() -> None:
    assert Constant(0.1).anneal(0.5, 0.9) == 0.1
    assert Linear(0.4, 0.0).anneal(7.0, 0.25) == pytest.approx(0.3)
    assert Linear(0.4, 0.1).anneal(7.0, 0.0) == 0.4
    adaptive = KLAdaptive(1e-3, target_kl=0.01, factor=2.0, least=1e-4, greatest=1e-2)
    assert adaptive.anneal(5e-4, 0.9) == 5e-4
    assert adaptive.adapt(1e-3, 0.03) == 5e-4
    assert adaptive.adapt(1e-3, 0.001) == 2e-3
    assert [adaptive.adapt(1e-3, kl) for kl in (0.0051, 0.01, 0.0199)] == [1e-3] * 3
    assert [adaptive.adapt(1e-3, kl) for kl in (0.0049, 0.0201)] == [2e-3, 5e-4]
    assert adaptive.adapt(1.5e-4, 1.0) == 1e-4
    assert adaptive.adapt(9e-3, 0.0) == 1e-2


def test_an_adaptive_rate_follows_every_pass_and_is_kept() -> None:
    """Each pass moves far beyond the target, so each halves the rate; the state carries it on."""
    rate = KLAdaptive(0.08, target_kl=1e-9, factor=2.0, least=0.0, greatest=1.0)
    solver = make_solver(torch.zeros(3), LeastSquares(), rate=rate, epochs=3)
    solver.solve(make_batch(64))
    assert solver.rate == pytest.approx(0.01)
    other = make_solver(torch.zeros(3), LeastSquares(), rate=rate)
    other.load_state_dict(solver.state_dict())
    assert other.rate == pytest.approx(0.01)
