"""Each objective term against its closed form, on distributions whose expectations are exact sums."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from problems import at
from torch import Tensor
from torch.func import grad, hessian

from pgrobot.batch import Batch
from pgrobot.distributions import Gaussian
from pgrobot.objectives import (
    AdaptiveKLPenalty,
    ClippedRatio,
    DecoupledClippedRatio,
    Entropy,
    EstimatedEntropy,
    KLPenalty,
    Likelihood,
    Objective,
    Ratio,
    SimplePolicyOptimization,
)

ADAPTIVE = AdaptiveKLPenalty(weight=1.0, target_kl=0.01, factor=2.0, tolerance=1.5, least=0.2, greatest=5.0)
SURROGATES = [
    Likelihood(1.0),
    Ratio(1.0),
    ClippedRatio(1.0, 0.2),
    DecoupledClippedRatio(1.0, 0.2),
    SimplePolicyOptimization(1.0, 0.2),
]
TERMS = [*SURROGATES, KLPenalty(1.0), ADAPTIVE, Entropy(1.0), EstimatedEntropy(1.0)]
named = lambda term: type(term).__name__


@dataclass(frozen=True)
class Softmax:
    """Enough of a distribution over a few actions for the terms under test."""

    logits: Tensor  # [..., A]

    def log_prob(self, action: Tensor) -> Tensor:
        return self.logits.log_softmax(-1).gather(-1, action).squeeze(-1)


@dataclass(frozen=True)
class Free:
    """Log-likelihoods that are parameters themselves."""

    log_likelihood: Tensor

    def log_prob(self, action: Tensor) -> Tensor:
        del action
        return self.log_likelihood


def rows(action: Tensor, log_prob: Tensor, advantage: Tensor, reference: object = None) -> Batch:
    """A batch in which everything that no term here reads is empty."""
    read = {"action": action, "log_prob": log_prob, "advantage": advantage, "reference": reference}
    empty = dict.fromkeys((field.name for field in dataclasses.fields(Batch)), torch.zeros(len(action), 0))
    return Batch(**{**empty, **read})


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gaussian(theta: Tensor, count: int = 12) -> Gaussian:
    """Two actuators on every row, from their means and log deviations ``[4]``."""
    return Gaussian(theta[:2].expand(count, 2), theta[2:].expand(count, 2))


def sampled_batch(theta: Tensor) -> Batch:
    reference = gaussian(theta)
    action = reference.mean + reference.std * drawn(12, 2, seed=1)
    return rows(action, reference.log_prob(action), drawn(12, seed=2), reference)


def value(term: Objective, theta: Tensor, batch: Batch) -> Tensor:
    return term(at(gaussian(theta)), batch)[0]


OLD = torch.tensor([0.3, -0.7, -0.5, 0.2], dtype=torch.float64)
AWAY = OLD + torch.tensor([0.05, -0.1, 0.04, -0.07], dtype=torch.float64)


@pytest.mark.parametrize("term", TERMS, ids=named)
def test_gradients_are_finite_differences(term: Objective) -> None:
    batch = sampled_batch(OLD)
    assert torch.autograd.gradcheck(lambda theta: value(term, theta, batch), AWAY.clone().requires_grad_())


@pytest.mark.parametrize("term", SURROGATES, ids=named)
def test_at_the_old_policy_every_surrogate_has_the_policy_gradient(term: Objective) -> None:
    """mean of A ∇log π, the score of a Gaussian written out."""
    batch = sampled_batch(OLD)
    z = (batch.action - OLD[:2]) / OLD[2:].exp()
    score = torch.cat((z / OLD[2:].exp(), z.square() - 1.0), -1)
    expected = (batch.advantage.unsqueeze(-1) * score).mean(0)
    torch.testing.assert_close(grad(lambda theta: value(term, theta, batch))(OLD), expected)


def test_decoupled_clipping_without_an_average_is_clipping() -> None:
    batch = sampled_batch(OLD)
    for term in (ClippedRatio(1.0, 0.05), DecoupledClippedRatio(1.0, 0.05)):
        assert float(term(at(gaussian(AWAY)), batch)[1]["policy/clip_fraction"]) > 0.0
    told = [
        grad(lambda theta, kind=kind: value(kind(1.0, 0.05), theta, batch))(AWAY)
        for kind in (ClippedRatio, DecoupledClippedRatio)
    ]
    torch.testing.assert_close(told[1], told[0], rtol=1e-12, atol=1e-14)


def test_decoupled_clipping_is_around_the_reference() -> None:
    """Row by row ρ A of the policy that acted, but nothing where π/π̄ left the interval as the advantage asks."""
    nearby = gaussian(OLD + 0.1)
    batch = dataclasses.replace(sampled_batch(OLD), reference=nearby)
    term = DecoupledClippedRatio(1.0, 0.1)
    log_prob = gaussian(AWAY).log_prob(batch.action)
    ratio = (log_prob - nearby.log_prob(batch.action)).exp()
    silent = ((ratio > 1.1) & (batch.advantage > 0)) | ((ratio < 0.9) & (batch.advantage < 0))
    share = float(((ratio - 1.0).abs() > 0.1).double().mean())
    assert float(term(at(gaussian(AWAY)), batch)[1]["policy/clip_fraction"]) == share
    assert float((((log_prob - batch.log_prob).exp() - 1.0).abs() > 0.1).double().mean()) != share
    assert 0 < int(silent.sum()) < len(ratio)
    of = lambda log_prob: term(at(Free(log_prob)), batch)[0]
    expected = torch.where(silent, 0.0, (log_prob - batch.log_prob).exp() * batch.advantage) / len(ratio)
    torch.testing.assert_close(grad(of)(log_prob), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("advantage", [-2.0, -0.3, 0.3, 2.0])
@pytest.mark.parametrize("epsilon", [0.1, 0.3])
def test_spo_is_highest_where_the_ratio_is_one_plus_epsilon(advantage: float, epsilon: float) -> None:
    """The optimum of each sample is 1 + ε sign(A), and its value there |A| (ε ± 2) / 2; one beyond it is drawn back."""
    term = SimplePolicyOptimization(1.0, epsilon)
    zero = torch.zeros(1, dtype=torch.float64)
    batch = rows(zero, zero, zero + advantage)
    of = lambda ratio: term(at(Free(ratio.log())), batch)[0]
    sign = math.copysign(1.0, advantage)
    best = torch.tensor([1.0 + epsilon * sign], dtype=torch.float64)
    assert abs(float(grad(of)(best))) < 1e-12
    assert float(hessian(of)(best)) == pytest.approx(-abs(advantage) / epsilon)
    assert float(of(best)) == pytest.approx(abs(advantage) * (epsilon + 2.0 * sign) / 2.0)
    beyond = best + 0.05 * sign
    assert float(grad(of)(beyond)) * sign == pytest.approx(-0.05 * abs(advantage) / epsilon)
    assert (
        float(grad(lambda ratio: ClippedRatio(1.0, epsilon)(at(Free(ratio.log())), batch)[0])(beyond)) == 0.0
    )


def test_spo_reports_how_far_the_ratios_are_from_one() -> None:
    zero = torch.zeros(2, dtype=torch.float64)
    _, metrics = SimplePolicyOptimization(1.0, 0.2)(
        at(Free(torch.tensor([1.3, 0.9]).double().log())), rows(zero, zero, zero)
    )
    assert float(metrics["policy/ratio_deviation"]) == pytest.approx(0.2)


@pytest.mark.parametrize("term", [KLPenalty(1.0), ADAPTIVE], ids=named)
def test_kl_penalty_meets_its_closed_form(term: Objective) -> None:
    """Minus KL(reference ‖ π), in that direction, and its gradient written out."""
    batch = sampled_batch(OLD)
    sigma, old = AWAY[2:].exp(), OLD[2:].exp()
    shift = AWAY[:2] - OLD[:2]
    second = (old.square() + shift.square()) / sigma.square()
    expected = (AWAY[2:] - OLD[2:] + 0.5 * second - 0.5).sum()
    torch.testing.assert_close(value(term, AWAY, batch), -expected)
    slope = torch.cat((shift / sigma.square(), 1.0 - second))
    torch.testing.assert_close(grad(lambda theta: value(term, theta, batch))(AWAY), -slope)
    assert abs(float(value(term, OLD, sampled_batch(AWAY))) + float(expected)) > 1e-4, "KL has a direction"


def test_kl_penalty_is_flat_at_the_reference() -> None:
    batch = sampled_batch(OLD)
    assert float(value(KLPenalty(1.0), OLD, batch)) == 0.0
    assert float(grad(lambda theta: value(KLPenalty(1.0), theta, batch))(OLD).abs().max()) < 1e-15


@pytest.mark.parametrize("logits", [[0.0, 0.0, 0.0], [0.4, -0.3, 1.0]])
def test_estimated_entropy_of_a_softmax_is_exact_over_all_its_actions(logits: list[float]) -> None:
    """Value and gradient at a π that is not the policy that acted, whose probabilities are 1/8, 3/8 and 1/2."""
    action = torch.tensor([0, 1, 1, 1, 2, 2, 2, 2]).unsqueeze(-1)
    behaviour = torch.tensor([1, 3, 4], dtype=torch.float64) / 8.0
    batch = rows(action, behaviour[action[:, 0]].log(), torch.zeros(8))
    theta = torch.tensor(logits, dtype=torch.float64)

    def estimated(theta: Tensor) -> Tensor:
        return EstimatedEntropy(1.0)(at(Softmax(theta.expand(8, 3))), batch)[0]

    def exact(theta: Tensor) -> Tensor:
        return -(theta.softmax(-1) * theta.log_softmax(-1)).sum()

    torch.testing.assert_close(estimated(theta), exact(theta))
    torch.testing.assert_close(grad(estimated)(theta), grad(exact)(theta), rtol=1e-12, atol=1e-14)


def integral(count: int, reach: float) -> tuple[Tensor, Tensor]:
    """Actions evenly over ±reach, and their constant log-density: a mean of ρ f over them is ∫ π f.

    The rule converges faster than any power of the spacing for a Gaussian that ends well inside.
    """
    action = ((torch.arange(count, dtype=torch.float64) + 0.5) / count * 2.0 - 1.0) * reach
    return action.unsqueeze(-1), torch.full((count,), -math.log(2.0 * reach), dtype=torch.float64)


@pytest.mark.parametrize(("mu", "log_sigma"), [(0.0, 0.0), (0.5, -1.0)])
def test_estimated_entropy_of_a_gaussian_is_its_closed_form(mu: float, log_sigma: float) -> None:
    """∂H/∂log σ = 1 and ∂H/∂μ = 0, integrated over the actions of a policy that is uniform."""
    action, log_prob = integral(600, 12.0)
    batch = rows(action, log_prob, torch.zeros(600))
    theta = torch.tensor([mu, log_sigma], dtype=torch.float64)

    def entropy(theta: Tensor) -> Tensor:
        return EstimatedEntropy(1.0)(at(Gaussian(theta[0].expand(600, 1), theta[1].expand(600, 1))), batch)[0]

    assert float(entropy(theta)) == pytest.approx(log_sigma + 0.5 * math.log(2 * math.pi * math.e), abs=1e-12)
    expected = torch.tensor([0.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(grad(entropy)(theta), expected, rtol=0, atol=1e-12)


def test_estimated_entropy_needs_its_ratio() -> None:
    """From the policy's own samples the plain mean of −log π has no gradient on average; the term has the entropy's."""
    generator = torch.Generator().manual_seed(0)
    theta = torch.tensor([0.5, -1.0], dtype=torch.float64)
    of = lambda theta: Gaussian(theta[0].expand(400_000, 1), theta[1].expand(400_000, 1))
    acted = of(theta)
    action = acted.mean + acted.std * torch.randn(400_000, 1, generator=generator, dtype=torch.float64)
    batch = rows(action, acted.log_prob(action), torch.zeros(400_000))
    plain = grad(lambda theta: -of(theta).log_prob(action).mean())(theta)
    term = grad(lambda theta: EstimatedEntropy(1.0)(at(of(theta)), batch)[0])(theta)
    assert float(term[1]) == pytest.approx(1.0, abs=0.02)
    assert float(plain[1]) == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("bonus", [Entropy, EstimatedEntropy])
@pytest.mark.parametrize("beta", [0.1, 0.5])
def test_the_regularised_bandit_ends_at_its_optimum(bonus: Callable[[float], Objective], beta: float) -> None:
    """r = −(a − c)² with β H(π): gradient ascent on the terms themselves finds μ* = c and σ*² = β / 2."""
    target = 0.7
    action, log_prob = integral(1000, 12.0)
    batch = rows(action, log_prob, -((action[:, 0] - target) ** 2))
    terms = (Ratio(1.0), bonus(beta))

    def objective(theta: Tensor) -> Tensor:
        distribution = Gaussian(theta[0].expand(1000, 1), theta[1].expand(1000, 1))
        return sum(term.weight * term(at(distribution), batch)[0] for term in terms)

    theta = torch.zeros(2, dtype=torch.float64)
    for _ in range(600):
        theta = theta + 0.25 * grad(objective)(theta)
    expected = torch.tensor([target, 0.5 * math.log(beta / 2.0)], dtype=torch.float64)
    torch.testing.assert_close(theta, expected, rtol=0, atol=1e-9)


def test_a_constant_added_to_the_likelihoods_advantage_is_a_baseline() -> None:
    """Its gradient on average is zero: exact over all actions of a softmax that acted."""
    action = torch.tensor([0, 1, 1, 1, 2, 2, 2, 2]).unsqueeze(-1)
    theta = (torch.tensor([1, 3, 4], dtype=torch.float64) / 8.0).log()
    constant = rows(action, theta[action[:, 0]], torch.full((8,), 5.0, dtype=torch.float64))
    gradient = grad(lambda theta: Likelihood(1.0)(at(Softmax(theta.expand(8, 3))), constant)[0])(theta)
    assert float(gradient.abs().max()) < 1e-14


@pytest.mark.parametrize("term", [term for term in TERMS if term is not ADAPTIVE], ids=named)
def test_a_fixed_weight_stays_what_it_is(term: Objective) -> None:
    assert [term.adapt(0.37, kl) for kl in (0.0, 0.01, 1e9)] == [0.37] * 3


def test_an_adaptive_weight_follows_the_kl() -> None:
    """Doubled above 1.5 targets, halved below 1 / 1.5 of one, held between, within its bounds."""
    weight, weights = ADAPTIVE.weight, []
    for kl in (0.02, 0.0151, 0.0149, 0.01, 0.0067, 0.0066, 0.5, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0):
        weight = ADAPTIVE.adapt(weight, kl)
        weights.append(weight)
    assert weights == [2.0, 4.0, 4.0, 4.0, 4.0, 2.0, 4.0, 5.0, 5.0, 2.5, 1.25, 0.625, 0.3125, 0.2, 0.2]
    assert ADAPTIVE.weight == 1.0
    assert dataclasses.replace(ADAPTIVE, least=0.3).adapt(0.0, 0.01) == 0.3, "it can always rise again"


@pytest.mark.parametrize("term", TERMS, ids=named)
def test_a_term_is_a_pure_scalar(term: Objective) -> None:
    batch = sampled_batch(OLD)
    first, metrics = term(at(gaussian(AWAY)), batch)
    assert first.shape == ()
    assert all(metric.shape == () for metric in metrics.values())
    assert torch.equal(first, value(term, AWAY, batch))
    with pytest.raises(dataclasses.FrozenInstanceError):
        term.weight = 2.0
