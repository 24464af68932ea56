"""Every distribution against quadrature or enumeration, and its KL divergence against its Fisher information.

Each is a function of a vector of parameters, with nodes and weights that integrate over all its actions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import grad, hessian, jacfwd, jvp
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from pgrobot.distributions import (
    Beta,
    Binned,
    Categorical,
    FullCovarianceGaussian,
    Gaussian,
    MultiCategorical,
    SmoothGaussian,
    SquashedGaussian,
)
from pgrobot.distributions.squashed import squash


@dataclass(frozen=True)
class Kind:
    """``make`` maps parameters ``[…, P]`` to a distribution; ``nodes`` gives actions ``[Q, A]`` and weights ``[Q]``."""

    parameters: int
    make: Callable[[Tensor], Any]
    nodes: Callable[[], tuple[Tensor, Tensor]]
    tolerance: float = 1e-9


def line(reach: float, count: int = 4001) -> tuple[Tensor, Tensor]:
    x = torch.linspace(-reach, reach, count, dtype=torch.float64)
    return x, torch.full_like(x, float(x[1] - x[0]))


def real_line() -> tuple[Tensor, Tensor]:
    x, weight = line(30.0)
    return x.unsqueeze(-1), weight


def plane() -> tuple[Tensor, Tensor]:
    x, weight = line(30.0, 301)
    return torch.cartesian_prod(x, x), torch.outer(weight, weight).flatten()


def squashed_line() -> tuple[Tensor, Tensor]:
    """The real line as ``squash`` maps it, weighted with the derivative that autograd finds."""
    x, weight = line(30.0, 60001)
    slope = jvp(squash, (x,), (torch.ones_like(x),))[1]
    return squash(x).unsqueeze(-1), weight * slope


def interval() -> tuple[Tensor, Tensor]:
    x, weight = line(17.0)
    return x.tanh().unsqueeze(-1), weight / x.cosh().square()


def one_hots() -> tuple[Tensor, Tensor]:
    return torch.eye(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)


def pairs_of_bins() -> tuple[Tensor, Tensor]:
    pairs = list(itertools.product([-1.0, 0.0, 1.0], repeat=2))
    return torch.tensor(pairs, dtype=torch.float64), torch.ones(len(pairs), dtype=torch.float64)


def three_and_two() -> tuple[Tensor, Tensor]:
    pairs = list(itertools.product(range(3), range(2)))
    return torch.tensor(pairs, dtype=torch.float64), torch.ones(len(pairs), dtype=torch.float64)


def choices(x: Tensor) -> MultiCategorical:
    """Three choices, and two: one more logit is no choice."""
    two = torch.cat((x[..., 3:], torch.full_like(x[..., :1], -torch.inf)), -1)
    return MultiCategorical(torch.stack((x[..., :3], two), -2))


def full_covariance(x: Tensor) -> FullCovarianceGaussian:
    first = torch.stack((x[..., 2].exp(), torch.zeros_like(x[..., 2])), -1)
    second = torch.stack((x[..., 3], x[..., 4].exp()), -1)
    return FullCovarianceGaussian(x[..., :2], torch.stack((first, second), -2))


def smooth(x: Tensor) -> SmoothGaussian:
    return SmoothGaussian(x[..., :1], Gaussian(x[..., :1] + 0.7, x[..., 1:]))


KINDS = {
    "gaussian": Kind(2, lambda x: Gaussian(x[..., :1], x[..., 1:]), real_line),
    "smooth": Kind(2, smooth, real_line),
    "full_covariance": Kind(5, full_covariance, plane),
    "squashed": Kind(2, lambda x: SquashedGaussian(Gaussian(x[..., :1], x[..., 1:])), squashed_line, 3e-5),
    "beta": Kind(2, lambda x: Beta(1.2 + x[..., :1].exp(), 1.2 + x[..., 1:].exp()), interval),
    "categorical": Kind(4, Categorical, one_hots),
    "binned": Kind(6, lambda x: Binned(x.unflatten(-1, (2, 3))), pairs_of_bins),
    "multi_categorical": Kind(5, choices, three_and_two),
}


@pytest.fixture(params=KINDS, name="kind")
def every_kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def parameters(kind: Kind, seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.6 * torch.randn(*shape, kind.parameters, generator=generator, dtype=torch.float64)


def expectation(kind: Kind, distribution: Any, of: Callable[[Tensor], Tensor]) -> Tensor:
    """Integrate a function of actions ``[Q, A] -> [Q, …]`` under a distribution of one row."""
    action, weight = kind.nodes()
    mass = weight * distribution.log_prob(action).exp()
    return torch.tensordot(mass, of(action), 1)


def test_probability_sums_to_one(kind: Kind) -> None:
    for seed in range(3):
        total = expectation(kind, kind.make(parameters(kind, seed)), lambda a: torch.ones_like(a[:, 0]))
        assert abs(float(total) - 1.0) < 1e-9


def test_entropy_is_minus_the_expected_log_probability(kind: Kind) -> None:
    for seed in range(3):
        distribution = kind.make(parameters(kind, seed))
        expected = -expectation(kind, distribution, distribution.log_prob)
        torch.testing.assert_close(distribution.entropy(), expected, rtol=0, atol=kind.tolerance)


def test_kl_is_the_expected_log_ratio(kind: Kind) -> None:
    for seed in range(3):
        one, other = (kind.make(parameters(kind, seed + k)) for k in (0, 10))
        expected = expectation(kind, one, lambda a, p=one, q=other: p.log_prob(a) - q.log_prob(a))
        torch.testing.assert_close(one.kl(other), expected, rtol=0, atol=1e-9)
        assert float(one.kl(one).abs()) < 1e-14


def test_mean_and_std_are_the_moments(kind: Kind) -> None:
    for seed in range(3):
        distribution = kind.make(parameters(kind, seed))
        mean = expectation(kind, distribution, lambda a: a)
        square = expectation(kind, distribution, lambda a, m=mean: (a - m).square())
        if isinstance(distribution, SmoothGaussian):
            assert torch.equal(distribution.mean + 0.7, distribution.given.mean)
        else:
            torch.testing.assert_close(distribution.mean, mean, rtol=0, atol=kind.tolerance)
        torch.testing.assert_close(distribution.std, square.sqrt(), rtol=0, atol=kind.tolerance)


def test_kl_is_flat_at_equality_and_its_curvature_is_the_fisher_information(kind: Kind) -> None:
    """In both arguments: a Fisher product differentiates either twice."""
    at = parameters(kind, 1)
    action, weight = kind.nodes()
    score = jacfwd(lambda x: kind.make(x).log_prob(action))(at)
    mass = weight * kind.make(at).log_prob(action).exp()
    fisher = torch.einsum("q,qi,qj->ij", mass, score, score)

    def from_here(x: Tensor) -> Tensor:
        return kind.make(at).kl(kind.make(x))

    def to_here(x: Tensor) -> Tensor:
        return kind.make(x).kl(kind.make(at))

    for divergence in (from_here, to_here):
        assert float(grad(divergence)(at).abs().max()) < 1e-14
        torch.testing.assert_close(hessian(divergence)(at), fisher, rtol=0, atol=1e-9)


def test_the_gradient_of_the_entropy_is_that_of_its_integral(kind: Kind) -> None:
    at = parameters(kind, 2)

    def integral(x: Tensor) -> Tensor:
        distribution = kind.make(x)
        return -expectation(kind, distribution, distribution.log_prob)

    entropy = grad(lambda x: kind.make(x).entropy())(at)
    torch.testing.assert_close(entropy, grad(integral)(at), rtol=0, atol=10 * kind.tolerance)


def test_a_slice_of_a_distribution_is_the_distribution_of_the_slice(kind: Kind) -> None:
    x, y = parameters(kind, 3, 5, 4), parameters(kind, 4, 5, 4)
    whole, other = kind.make(x), kind.make(y)
    action = whole.sample(torch.Generator().manual_seed(0))
    rows = pytree.tree_map(lambda t: t.flatten(0, 1)[7:11], whole)
    assert type(rows) is type(whole)
    built = kind.make(x.flatten(0, 1)[7:11])
    for ours, theirs in zip(pytree.tree_leaves(rows), pytree.tree_leaves(built), strict=True):
        assert torch.equal(ours, theirs)
    part = pytree.tree_map(lambda t: t[2], whole)
    torch.testing.assert_close(part.log_prob(action[2]), whole.log_prob(action)[2])
    torch.testing.assert_close(part.entropy(), whole.entropy()[2])
    torch.testing.assert_close(part.kl(kind.make(y[2])), whole.kl(other)[2])
    assert whole.log_prob(action).shape == whole.entropy().shape == whole.kl(other).shape == (5, 4)
    assert whole.mean.shape == whole.std.shape == action.shape


def test_samples_come_from_the_generator_and_have_the_moments(kind: Kind) -> None:
    row = kind.make(parameters(kind, 5))
    many = pytree.tree_map(lambda t: t.expand(100_000, *t.shape), row)
    sample = many.sample(torch.Generator().manual_seed(3))
    assert torch.equal(sample, many.sample(torch.Generator().manual_seed(3)))
    assert not torch.equal(sample, many.sample(torch.Generator().manual_seed(4)))
    mean = row.given.mean if isinstance(row, SmoothGaussian) else row.mean
    error = 5 * row.std / 100_000**0.5
    assert bool(((sample.mean(0) - mean).abs() < error).all())
    torch.testing.assert_close(sample.std(0), row.std, rtol=0.02, atol=0)
    entropy = float(-row.log_prob(sample).mean())
    assert entropy == pytest.approx(float(row.entropy()), abs=0.02)


def test_single_precision_is_kept(kind: Kind) -> None:
    single = kind.make(parameters(kind, 6, 8).float())
    double = kind.make(parameters(kind, 6, 8).float().double())
    action = single.sample(torch.Generator().manual_seed(0))
    assert action.dtype == torch.float32
    for name in ("entropy", "mean", "std"):
        ours, exact = getattr(single, name), getattr(double, name)
        ours, exact = (ours(), exact()) if callable(ours) else (ours, exact)
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, exact.float(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(single.log_prob(action), double.log_prob(action.double()).float())


def test_traces_without_a_branch_on_values(kind: Kind) -> None:
    """What is traced on one batch computes the other: nothing was decided by the values of the first."""
    first, second = parameters(kind, 7, 6), parameters(kind, 8, 6)

    def numbers(x: Tensor, action: Tensor) -> tuple[Tensor, ...]:
        one, other = kind.make(x), kind.make(-x)
        return (
            one.log_prob(action),
            one.entropy(),
            one.kl(other),
            grad(lambda z: kind.make(z).kl(other).sum())(x),
        )

    action = kind.make(first).sample(torch.Generator().manual_seed(0))
    other = kind.make(second).sample(torch.Generator().manual_seed(1))
    traced = make_fx(numbers)(first, action)
    for ours, theirs in zip(traced(second, other), numbers(second, other), strict=True):
        torch.testing.assert_close(ours, theirs)
