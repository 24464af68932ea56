"""The transforms of a first-order step: against torch's own, in the order they are written in, and null ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from pgrobot.errors import PgrobotError
from pgrobot.solvers import (
    SGD,
    Adam,
    ClipByGlobalNorm,
    Constant,
    FirstOrderSolver,
    FlatParameters,
    GroupRates,
    Link,
    Moments,
    Place,
    Report,
    RMSprop,
    Unbounded,
    Uniform,
    WeightDecay,
)

RATE, NORM = 0.05, 0.3
ADAM = Adam(0.9, 0.999, 1e-8)
CLIP = ClipByGlobalNorm(NORM)
FACTORS = {"0.*": 0.1, "*.bias": 0.5}  # of several patterns the first counts: 0.bias has 0.1


class Fit(Unbounded):
    """A small network, which is fitted to numbers."""

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).to(dtype)
        self.rows = torch.randn(8, 3, dtype=dtype)
        self.target = 3.0 * torch.randn(8, 2, dtype=dtype)
        self.parameters = FlatParameters(self.network)
        self.layout = self.parameters.layout

    def loss(self, vector: Tensor, batch: Any) -> tuple[Tensor, Report]:
        found = functional_call(self.network, self.parameters.views(vector), (batch["rows"],))
        return (found - batch["target"]).square().mean(), {}

    def solver(
        self, chain: Mapping[str, Link], steps: int = 6, *, compiled: bool = False
    ) -> FirstOrderSolver:
        return FirstOrderSolver(
            self.parameters.vector, self, chain, Constant(RATE), 8, steps, math.inf, "norm", compile_steps=False,
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip

    def moved(self, chain: Mapping[str, Link]) -> Tensor:
        """The parameters after six steps, ``[P]``."""
        self.solver(chain).solve({"rows": self.rows, "target": self.target})
        return self.parameters.vector


def torchs(decays: Mapping[str, float], factors: Mapping[str, float], norm: float = NORM) -> Tensor:
    """Where torch's AdamW leads with a group of its own for every parameter, behind torch's clipping."""
    fit = Fit()
    weights = dict(fit.network.named_parameters())
    groups = [
        {"params": [w], "lr": RATE * factors.get(name, 1.0), "weight_decay": decays.get(name, 0.0)}
        for name, w in weights.items()
    ]
    for weight in weights.values():
        weight.requires_grad_()
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8)
    for _ in range(6):
        optimizer.zero_grad()
        (fit.network(fit.rows) - fit.target).square().mean().backward()
        assert float(nn.utils.clip_grad_norm_(weights.values(), norm)) > NORM, "the bound binds"
        optimizer.step()
    return torch.cat([weight.detach().flatten() for weight in weights.values()])


MATRICES, ALL = {"0.weight": 0.3, "2.weight": 0.3}, dict.fromkeys(Fit().layout, 0.3)
BY_NAME = {"0.weight": 0.1, "0.bias": 0.1, "2.bias": 0.5}
PEERS = {
    "clipping": ({"clip": CLIP, "adam": ADAM}, ({}, {})),
    "no clipping": ({"clip": ClipByGlobalNorm(math.inf), "adam": ADAM}, ({}, {}, math.inf)),
    "weight decay": ({"clip": CLIP, "adam": ADAM, "decay": WeightDecay(0.3, "matrices")}, (MATRICES, {})),
    "decay of all": ({"clip": CLIP, "adam": ADAM, "decay": WeightDecay(0.3, "all")}, (ALL, {})),
    "group rates": ({"clip": CLIP, "adam": ADAM, "groups": GroupRates(FACTORS)}, ({}, BY_NAME)),
    # torch's rate of a group is that of its decay as well
    "decay, then rates": (
        {"clip": CLIP, "adam": ADAM, "decay": WeightDecay(0.3, "all"), "groups": GroupRates(FACTORS)},
        (ALL, BY_NAME),
    ),
    "rates, then decay": (
        {"clip": CLIP, "adam": ADAM, "groups": GroupRates(FACTORS), "decay": WeightDecay(0.3, "all")},
        ({name: 0.3 / BY_NAME.get(name, 1.0) for name in ALL}, BY_NAME),
    ),
}


@pytest.mark.parametrize("name", PEERS)
def test_steps_equal_torchs(name: str) -> None:
    chain, peer = PEERS[name]
    torch.testing.assert_close(
        Fit().moved(chain), torchs(*peer), rtol=1e-5, atol=1e-6
    )  # Adam's count is float32


def test_the_order_is_that_of_the_mapping() -> None:
    ends = [Fit().moved(chain) for chain, _ in PEERS.values()]
    assert all(not torch.allclose(one, other, atol=1e-4) for one, other in itertools.combinations(ends, 2))
    step = Fit()
    before = step.parameters.vector.clone()
    step.solver({"sgd": SGD(0.0), "clip": CLIP}, 1).solve({"rows": step.rows, "target": step.target})
    length = float((step.parameters.vector - before).norm())
    gradient = torch.func.grad(lambda v: step.loss(v, {"rows": step.rows, "target": step.target})[0])(before)
    assert length == pytest.approx(RATE * float(gradient.norm())), (
        "the step is short enough, the gradient is not"
    )
    assert length < NORM < float(gradient.norm())


@pytest.mark.parametrize("rule", [ADAM, RMSprop(0.99, 1e-8, "outside", 0.0), SGD(0.9)])
@pytest.mark.parametrize(
    "null",
    [WeightDecay(0.0, "all"), GroupRates({}), GroupRates({"*": 1.0}), ClipByGlobalNorm(math.inf)],
    ids=["no decay", "no groups", "one group", "no bound"],
)
def test_what_does_nothing_is_its_absence_to_the_last_bit(null: Link, rule: Link) -> None:
    plain, added = Fit(torch.float32), Fit(torch.float32)
    assert torch.equal(added.moved({"rule": rule, "null": null}), plain.moved({"rule": rule}))
    assert torch.equal(added.moved({"rule": rule, "null": null}), plain.moved({"rule": rule})), "and on"


def test_what_is_not_decayed_is_not_touched() -> None:
    plain, decayed = Fit(torch.float32), Fit(torch.float32)
    batch = {"rows": plain.rows, "target": plain.target}
    plain.solver({"rule": ADAM}, 1).solve(batch)
    decayed.solver({"rule": ADAM, "decay": WeightDecay(0.3, "matrices")}, 1).solve(batch)
    for name, where in plain.parameters.slices.items():
        same = torch.equal(plain.parameters.vector[where], decayed.parameters.vector[where])
        assert same == name.endswith("bias")


def test_a_factor_of_zero_holds_still() -> None:
    fit = Fit()
    before = fit.parameters.vector.clone()
    after = fit.moved({"rule": ADAM, "groups": GroupRates({"0.*": 0.0})})
    where = fit.parameters.slices["0.weight"]
    assert torch.equal(after[where], before[where])
    assert not torch.equal(after, before)


@dataclass(frozen=True)
class Lookback(Uniform):
    """Hands on the update before, and remembers two."""

    place: ClassVar[Place] = "anywhere"

    def initial(self, vector: Tensor) -> Moments:
        return torch.zeros_like(vector), torch.zeros(())

    def step(self, update: Tensor, moments: Moments, vector: Tensor, rate: Tensor) -> tuple[Tensor, Moments]:
        return moments[0], (update, moments[1] + 1.0)

    def rescale(self, moments: Moments, factor: Tensor) -> Moments:
        return moments[0] * factor, moments[1]


def test_every_link_has_its_own_memory() -> None:
    """Two steps on the gradient before behind three links that remember: SGD meets zero, then the first gradient."""
    fit = Fit()
    batch, before = {"rows": fit.rows, "target": fit.target}, fit.parameters.vector.clone()
    gradient = torch.func.grad(lambda v: fit.loss(v, batch)[0])(before)
    solver = fit.solver({"one": Lookback(), "clip": CLIP, "sgd": SGD(0.5), "two": Lookback()}, 1)
    for _ in range(3):
        solver.solve(batch)
    one, count, velocity, two, other = solver.state_dict()["moments"]
    clipped = gradient * min(1.0, NORM / float(gradient.norm()))
    torch.testing.assert_close(velocity, 1.5 * clipped)  # met twice: nothing had moved before the third step
    torch.testing.assert_close(two, RATE * velocity)
    torch.testing.assert_close(fit.parameters.vector, before - RATE * clipped)
    assert float(count) == float(other) == 3.0
    solver.rescale(torch.full_like(gradient, 2.0))
    for now, was in zip(
        solver.state_dict()["moments"], (2 * one, count, 2 * velocity, 2 * two, other), strict=True
    ):
        assert torch.equal(now, was)


def test_memory_of_another_chain_is_refused() -> None:
    state = Fit().solver({"clip": CLIP, "adam": ADAM}).state_dict()
    assert len(state["moments"]) == 3, "Adam's, as without a bound"
    Fit().solver({"adam": ADAM}).load_state_dict(state)
    with pytest.raises(ValueError, match="zip"):
        Fit().solver({"sgd": SGD(0.9)}).load_state_dict(state)


class Half(Uniform):
    place: ClassVar[Place] = "optimizer"

    def initial(self, vector: Tensor) -> Moments:
        return ()


class Formerly:
    def step(
        self, vector: Tensor, moments: Moments, gradient: Tensor, rate: Tensor
    ) -> tuple[Tensor, Moments]:
        return vector - rate * gradient, moments


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ({"clip": CLIP}, "needs one optimiser, such as pgrobot.solvers.Adam, and the chain of clip has none"),
        ({}, "the chain of nothing has none"),
        ({"a": SGD(0.0), "b": ADAM}, "the chain of a, b has a and b"),
        (
            {"decay": WeightDecay(0.1, "all"), "sgd": SGD(0.0)},
            "decay of the chain, WeightDecay, changes steps, .* to follow sgd",
        ),
        (
            {"groups": GroupRates({"0.*": 0.1}), "sgd": SGD(0.0)},
            "groups of the chain, GroupRates, changes steps",
        ),
        ({"own": Half()}, "own of the chain, Half, has no method step: see pgrobot.solvers.Transform"),
        ({"own": Formerly()}, "own of the chain, Formerly, has no place .*: see pgrobot.solvers.Link"),
        (
            {"sgd": SGD(0.0), "groups": GroupRates({"o.*": 0.1})},
            "no parameter is called 'o.*'.*: valid: 0.bias, 0.w",
        ),
        ({"sgd": SGD(0.0), "groups": GroupRates({"2.wieght": 0.1})}, "did you mean '2.weight'"),
        (
            {"sgd": SGD(0.0), "groups": GroupRates({"*": 0.1, "2.*": 1.0})},
            "before '2.*' leave no parameter to it",
        ),
    ],
)
def test_what_is_no_chain_is_refused(chain: Mapping[str, Any], words: str) -> None:
    with pytest.raises(PgrobotError, match=words):
        Fit().solver(chain)


def test_a_problem_without_names_has_no_weights() -> None:
    class Nameless(Unbounded):
        def loss(self, vector: Tensor, batch: Any) -> tuple[Tensor, Report]:
            return vector.sum(), {}

    arguments: Sequence[Any] = (Constant(1.0), 1, 1, math.inf, "norm", False, torch.Generator())
    chain = {"sgd": SGD(0.0), "decay": WeightDecay(0.1, "all")}
    with pytest.raises(PgrobotError, match="names 0 of the 3 parameters"):
        FirstOrderSolver(torch.zeros(3), Nameless(), chain, *arguments)
