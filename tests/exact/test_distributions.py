"""Distributions against torch's own and against quadrature."""

from __future__ import annotations

import numpy as np
import torch
from torch.distributions import Independent, Normal, kl_divergence
from torch.utils import _pytree as pytree

from pgrobot.distributions import Gaussian


def random_gaussian(seed: int) -> Gaussian:
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(5, 4, 3, generator=generator, dtype=torch.float64)
    return Gaussian(mean, 0.3 * torch.randn(5, 4, 3, generator=generator, dtype=torch.float64))


def reference(gaussian: Gaussian) -> Independent:
    return Independent(Normal(gaussian.mean, gaussian.log_std.exp()), 1)


def test_log_prob_and_entropy_equal_torch() -> None:
    gaussian = random_gaussian(0)
    action = gaussian.sample(torch.Generator().manual_seed(1))
    torch.testing.assert_close(gaussian.log_prob(action), reference(gaussian).log_prob(action))
    torch.testing.assert_close(gaussian.entropy(), reference(gaussian).entropy())
    torch.testing.assert_close(gaussian.std, gaussian.log_std.exp())


def test_kl_equals_torch_and_vanishes_with_itself() -> None:
    one, other = random_gaussian(0), random_gaussian(2)
    torch.testing.assert_close(one.kl(other), kl_divergence(reference(one), reference(other)))
    assert float(one.kl(one).abs().max()) == 0.0


def test_kl_equals_quadrature() -> None:
    """Gauss–Hermite nodes integrate the log-ratio of two one-dimensional Gaussians exactly."""
    one = Gaussian(torch.tensor([[0.3]]).double(), torch.tensor([[-0.2]]).double())
    other = Gaussian(torch.tensor([[-0.4]]).double(), torch.tensor([[0.5]]).double())
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    action = one.mean + one.std * torch.from_numpy(nodes).unsqueeze(-1)
    integrand = one.log_prob(action) - other.log_prob(action)
    expected = float(integrand @ torch.from_numpy(weights / weights.sum()))
    assert abs(float(one.kl(other)) - expected) < 1e-12


def test_sample_has_the_stated_moments() -> None:
    gaussian = Gaussian(
        torch.tensor([1.0, -2.0]).expand(200_000, 2), torch.tensor([0.0, -1.0]).expand(200_000, 2)
    )
    sample = gaussian.sample(torch.Generator().manual_seed(3))
    torch.testing.assert_close(sample.mean(0), gaussian.mean[0], rtol=0, atol=0.01)
    torch.testing.assert_close(sample.std(0), gaussian.std[0], rtol=0.01, atol=0)


def test_slices_as_a_pytree() -> None:
    gaussian = random_gaussian(0)
    part = pytree.tree_map(lambda x: x[2], gaussian)
    assert isinstance(part, Gaussian)
    assert torch.equal(part.mean, gaussian.mean[2])
    assert torch.equal(part.log_std, gaussian.log_std[2])
