"""Continuous distributions against torch's own, and where an actuator's range ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import distributions as peer
from torch.distributions import kl_divergence
from torch.func import grad

from pgrobot.distributions import Beta, FullCovarianceGaussian, Gaussian, SquashedGaussian
from pgrobot.distributions.squashed import log_slope, squash, unsquash


def normal(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(5, 4, *shape, generator=generator, dtype=torch.float64)


def random_gaussian(seed: int) -> Gaussian:
    return Gaussian(normal(seed, 3), 0.3 * normal(seed + 100, 3))


def reference(gaussian: Gaussian) -> peer.Independent:
    return peer.Independent(peer.Normal(gaussian.mean, gaussian.log_std.exp()), 1)


def test_gaussian_equals_torch() -> None:
    one, other = random_gaussian(0), random_gaussian(2)
    action = one.sample(torch.Generator().manual_seed(1))
    torch.testing.assert_close(one.log_prob(action), reference(one).log_prob(action))
    torch.testing.assert_close(one.entropy(), reference(one).entropy())
    torch.testing.assert_close(one.std, one.log_std.exp())
    torch.testing.assert_close(one.kl(other), kl_divergence(reference(one), reference(other)))
    assert float(one.kl(one).abs().max()) == 0.0


def test_gaussian_kl_equals_quadrature() -> None:
    """Gauss–Hermite nodes integrate the log-ratio of two one-dimensional Gaussians exactly."""
    one = Gaussian(torch.tensor([[0.3]]).double(), torch.tensor([[-0.2]]).double())
    other = Gaussian(torch.tensor([[-0.4]]).double(), torch.tensor([[0.5]]).double())
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    action = one.mean + one.std * torch.from_numpy(nodes).unsqueeze(-1)
    integrand = one.log_prob(action) - other.log_prob(action)
    expected = float(integrand @ torch.from_numpy(weights / weights.sum()))
    assert abs(float(one.kl(other)) - expected) < 1e-12


def random_cholesky(seed: int) -> torch.Tensor:
    square = normal(seed, 3, 3)
    return square.tril(-1) + torch.diag_embed(square.diagonal(dim1=-2, dim2=-1).exp())


def test_full_covariance_equals_torch() -> None:
    one, other = (FullCovarianceGaussian(normal(seed, 3), random_cholesky(seed + 1)) for seed in (0, 10))
    theirs = [peer.MultivariateNormal(d.mean, scale_tril=d.cholesky) for d in (one, other)]
    action = one.sample(torch.Generator().manual_seed(1))
    torch.testing.assert_close(one.log_prob(action), theirs[0].log_prob(action))
    torch.testing.assert_close(one.entropy(), theirs[0].entropy())
    torch.testing.assert_close(one.kl(other), kl_divergence(*theirs))
    torch.testing.assert_close(one.std, theirs[0].stddev)


def test_full_covariance_without_covariance_is_the_gaussian() -> None:
    gaussian, other = random_gaussian(0), random_gaussian(2)
    full, full_other = (FullCovarianceGaussian(d.mean, torch.diag_embed(d.std)) for d in (gaussian, other))
    action = gaussian.sample(torch.Generator().manual_seed(1))
    assert torch.equal(full.sample(torch.Generator().manual_seed(1)), action)
    torch.testing.assert_close(full.log_prob(action), gaussian.log_prob(action))
    torch.testing.assert_close(full.entropy(), gaussian.entropy())
    torch.testing.assert_close(full.kl(full_other), gaussian.kl(other))


def test_full_covariance_draws_the_covariance() -> None:
    factor = random_cholesky(3)[0, 0]
    rows = FullCovarianceGaussian(torch.zeros(200_000, 3).double(), factor.expand(200_000, 3, 3))
    covariance = rows.sample(torch.Generator().manual_seed(0)).T.cov()
    expected = factor @ factor.T
    torch.testing.assert_close(covariance, expected, rtol=0.02, atol=0.02 * float(expected.diagonal().max()))


def test_squashed_equals_torch() -> None:
    squashed = SquashedGaussian(random_gaussian(0))
    action = squashed.sample(torch.Generator().manual_seed(1))
    base = peer.Normal(squashed.base.mean, squashed.base.std)
    theirs = peer.TransformedDistribution(base, peer.TanhTransform())
    assert float(action.abs().max()) < math.tanh(5.0), "inside of where the tangents begin"
    torch.testing.assert_close(squashed.log_prob(action), theirs.log_prob(action).sum(-1))


def test_squashing_is_smooth_one_to_one_and_ends_with_the_range() -> None:
    x = torch.linspace(-12.0, 12.0, 9601, dtype=torch.float64)
    action = squash(x)
    torch.testing.assert_close(unsquash(action), x, rtol=0, atol=1e-9)
    slope = grad(lambda z: squash(z).sum())(x)
    torch.testing.assert_close(log_slope(x), slope.log(), rtol=0, atol=1e-9)
    assert float(slope.diff().abs().max()) < 2e-3, "no jump where the tangents begin"
    assert float((action.clamp(-1, 1) - x.tanh()).abs().max()) < 1e-4


def test_squashing_keeps_the_variable_in_single_precision() -> None:
    x = torch.linspace(-12.0, 12.0, 9601)
    assert float((unsquash(squash(x)) - x).abs().max()) < 5e-4


@pytest.mark.parametrize("mean", [0.0, 2.0, 6.0, 12.0])
def test_the_score_of_squashed_actions_averages_to_zero_even_at_the_limits(mean: float) -> None:
    """In single precision. Clipping what rounds to ±1 would leave a score of (9 − mean) / variance behind."""
    rows, log_std = 100_000, -0.5

    def log_prob(x: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        base = Gaussian(x[0].expand(rows, 1), x[1].expand(rows, 1))
        return SquashedGaussian(base).log_prob(action).mean()

    at = torch.tensor([mean, log_std])
    base = Gaussian(at[0].expand(rows, 1), at[1].expand(rows, 1))
    action = SquashedGaussian(base).sample(torch.Generator().manual_seed(0))
    score = grad(log_prob)(at, action)
    deviation = torch.tensor([math.exp(-log_std), math.sqrt(2.0)]) / rows**0.5
    assert bool((score.abs() < 5 * deviation).all())


@pytest.mark.parametrize("mean", [0.0, 0.5, 2.0, 4.0, 5.0, 8.0])
@pytest.mark.parametrize("log_std", [-4.0, -0.5, 1.0])
def test_squashed_entropy_and_moments_hold_over_all_means_and_deviations(mean: float, log_std: float) -> None:
    squashed = SquashedGaussian(Gaussian(torch.tensor([mean]).double(), torch.tensor([log_std]).double()))
    node = torch.linspace(-9.0, 9.0, 200_001).double()
    weight = torch.softmax(-0.5 * node.square(), 0)
    x = mean + math.exp(log_std) * node
    entropy = squashed.base.entropy() + log_slope(x) @ weight
    torch.testing.assert_close(squashed.entropy(), entropy, rtol=0, atol=1e-4)
    torch.testing.assert_close(squashed.mean, (squash(x) @ weight).view(1), rtol=0, atol=1e-5)
    variance = (squash(x) - squash(x) @ weight).square() @ weight
    torch.testing.assert_close(squashed.std, variance.sqrt().view(1), rtol=0, atol=1e-5)


def test_beta_equals_torch() -> None:
    one, other = (Beta(1.0 + normal(seed, 3).exp(), 1.0 + normal(seed + 1, 3).exp()) for seed in (0, 10))
    theirs = [peer.Beta(d.alpha, d.beta) for d in (one, other)]
    action = one.sample(torch.Generator().manual_seed(1))
    stretch = 3 * math.log(2.0)
    log_prob = theirs[0].log_prob(0.5 * (action + 1)).sum(-1)
    torch.testing.assert_close(one.log_prob(action), log_prob - stretch)
    torch.testing.assert_close(one.entropy(), theirs[0].entropy().sum(-1) + stretch)
    torch.testing.assert_close(one.kl(other), kl_divergence(*theirs).sum(-1))
    torch.testing.assert_close(one.mean, 2 * theirs[0].mean - 1)
    torch.testing.assert_close(one.std, 2 * theirs[0].stddev)


def test_beta_of_ones_is_uniform_up_to_the_ends() -> None:
    uniform = Beta(torch.ones(3), torch.ones(3))
    log_prob = uniform.log_prob(torch.tensor([[-1.0, 0.3, 1.0], [-1.1, 0.0, 2.0]]))
    torch.testing.assert_close(log_prob, torch.full((2,), -3 * math.log(2.0)))
    peaked = Beta(torch.tensor([1.5]), torch.tensor([9.0]))
    assert bool(peaked.log_prob(torch.tensor([[-1.0], [1.0]])).isfinite().all())


def test_beta_keeps_small_divergences_in_single_precision() -> None:
    """A step of a trust region, 1e-4 nats, at a concentration where each logarithm of Γ is of the order of 1e4."""
    exact = Beta(torch.tensor([900.0]).double(), torch.tensor([950.0]).double())
    moved = Beta(torch.tensor([900.25]).double(), torch.tensor([949.5]).double())
    single, single_moved = (Beta(d.alpha.float(), d.beta.float()) for d in (exact, moved))
    divergence = float(exact.kl(moved))
    assert 1e-6 < divergence < 1e-3
    assert float(single.kl(single_moved)) == pytest.approx(divergence, rel=1e-4)
