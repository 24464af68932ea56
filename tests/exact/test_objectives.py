"""Objective terms and the policy problem against closed forms and finite differences: the object that trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from problems import at
from torch import Tensor
from torch.func import grad, jacrev
from toys import make_critic, make_policy

from pgrobot.batch import Batch, CriticBatch
from pgrobot.distributions import Gaussian
from pgrobot.objectives import ClippedRatio, Entropy
from pgrobot.solvers import CriticProblem, FlatParameters, PolicyProblem

TERMS = {"surrogate": ClippedRatio(1.0, 0.2), "entropy": Entropy(0.01)}


def policy_problem(terms: dict = TERMS) -> tuple[PolicyProblem, Tensor, Batch]:
    """A float64 problem at parameters somewhat away from the policy that acted."""
    policy = make_policy(actions=2).double()
    parameters = FlatParameters(policy)
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    obs, empty = {"policy": draw(40, 2)}, torch.zeros(40, 0)
    start = torch.zeros(40, dtype=torch.bool)
    acted, _ = policy(obs, empty, start)
    action = acted.sample(generator)
    batch = Batch(
        obs=obs,
        carry=empty,
        episode_start=start,
        action=action,
        log_prob=acted.log_prob(action).clone(),
        reference=Gaussian(acted.mean.clone(), acted.log_std.clone()),
        advantage=draw(40),
        cost_advantage=draw(40, 3),
        slack=torch.zeros(40, 3),
        control=torch.zeros(40, 0),
        weight=torch.zeros(40, 0),
    )
    problem = PolicyProblem(policy, parameters, terms)
    return problem, parameters.vector.clone(), batch


def finite_differences(function: Callable[[Tensor], Tensor], vector: Tensor, step: float = 1e-6) -> Tensor:
    derivative = torch.zeros_like(vector)
    for i in range(len(vector)):
        ahead, behind = vector.clone(), vector.clone()
        ahead[i] += step
        behind[i] -= step
        derivative[i] = (function(ahead) - function(behind)) / (2 * step)
    return derivative


def test_gradient_of_the_policy_problem_is_its_finite_difference() -> None:
    problem, vector, batch = policy_problem()
    away = vector + 0.05 * torch.randn(
        len(vector), generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    exact = grad(lambda v: problem.loss(v, batch)[0])(away)
    numeric = finite_differences(lambda v: problem.loss(v, batch)[0], away)
    torch.testing.assert_close(exact, numeric, rtol=1e-5, atol=1e-8)
    assert float(exact.abs().max()) > 0


def test_gradient_of_kl_and_costs_is_their_finite_difference() -> None:
    problem, vector, batch = policy_problem()
    away = vector + 0.05 * torch.randn(
        len(vector), generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    torch.testing.assert_close(
        grad(lambda v: problem.kl(v, batch))(away), finite_differences(lambda v: problem.kl(v, batch), away),
        rtol=1e-5, atol=1e-8,
    )  # fmt: skip
    jacobian = jacrev(lambda v: problem.costs(v, batch))(away)
    for k in range(3):
        numeric = finite_differences(lambda v, k=k: problem.costs(v, batch)[k], away)
        torch.testing.assert_close(jacobian[k], numeric, rtol=1e-5, atol=1e-8)


def test_costs_are_the_mean_of_ratio_times_advantage() -> None:
    """By hand: a constant cost advantage costs the mean ratio, and more likely actions cost more."""
    problem, vector, batch = policy_problem()
    away = vector + 0.05 * torch.randn(
        len(vector), generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    now = problem.distribution(away, batch).log_prob(batch.action)
    expected = ((now - batch.log_prob).exp()[:, None] * batch.cost_advantage).mean(0)
    torch.testing.assert_close(problem.costs(away, batch), expected, rtol=1e-12, atol=1e-15)
    assert float((problem.costs(away, batch) - batch.cost_advantage.mean(0)).abs().min()) > 1e-6


def test_the_reported_kl_is_that_from_the_reference() -> None:
    problem, vector, batch = policy_problem()
    away = vector + 0.3
    _, report = problem.loss(away, batch)
    now = problem.distribution(away, batch)
    assert float(report["policy/kl"]) == pytest.approx(float(batch.reference.kl(now).mean()), rel=1e-12)
    assert float(problem.kl(away, batch)) == float(report["policy/kl"])
    assert abs(float(now.kl(batch.reference).mean()) / float(report["policy/kl"]) - 1) > 0.01, (
        "KL has a direction"
    )


def test_at_the_reference_the_gradient_is_the_policy_gradient_and_kl_is_flat() -> None:
    """∇PPO = ∇A2C at θ_old, where every ratio is one; the KL has a minimum there."""
    problem, vector, batch = policy_problem({"surrogate": ClippedRatio(1.0, 0.2)})

    def policy_gradient(v: Tensor) -> Tensor:
        return -(problem.distribution(v, batch).log_prob(batch.action) * batch.advantage).mean()

    clipped = grad(lambda v: problem.loss(v, batch)[0])(vector)
    torch.testing.assert_close(clipped, grad(policy_gradient)(vector), rtol=1e-10, atol=1e-12)
    assert float(problem.kl(vector, batch)) == 0.0
    assert float(grad(lambda v: problem.kl(v, batch))(vector).abs().max()) < 1e-14


@pytest.mark.parametrize(
    ("log_ratio", "advantage", "passes"),
    [(0.5, 1.0, False), (-0.5, -1.0, False), (0.5, -1.0, True), (-0.5, 1.0, True), (0.1, 1.0, True)],
)
def test_a_clipped_sample_contributes_exactly_no_gradient(
    log_ratio: float, advantage: float, passes: bool
) -> None:
    problem, vector, batch = policy_problem({"surrogate": ClippedRatio(1.0, 0.2)})
    batch = dataclasses.replace(
        batch,
        log_prob=problem.distribution(vector, batch).log_prob(batch.action) - log_ratio,
        advantage=torch.full((40,), advantage, dtype=torch.float64),
    )
    gradient = grad(lambda v: problem.loss(v, batch)[0])(vector)
    assert bool((gradient != 0).any()) == passes


def test_clip_fraction_counts_the_samples_outside() -> None:
    problem, vector, batch = policy_problem()
    shift = torch.zeros(40, dtype=torch.float64)
    shift[:10] = 0.3
    log_prob = problem.distribution(vector, batch).log_prob(batch.action) - shift
    _, report = problem.loss(vector, dataclasses.replace(batch, log_prob=log_prob))
    assert float(report["policy/clip_fraction"]) == pytest.approx(0.25)


def test_what_two_terms_report_by_one_name_is_told_of_both() -> None:
    problem, vector, batch = policy_problem(
        {"narrow": ClippedRatio(0.5, 0.1), "wide": ClippedRatio(0.5, 0.5)}
    )
    log_prob = problem.distribution(vector, batch).log_prob(batch.action) - 0.3
    _, report = problem.loss(vector, dataclasses.replace(batch, log_prob=log_prob))
    assert float(report["policy/clip_fraction"]) == 1.0
    assert float(report["policy/clip_fraction/wide"]) == 0.0


@pytest.mark.parametrize(("mu", "log_sigma"), [(0.3, -0.5), (-1.2, 0.2)])
def test_gaussian_bandit_meets_its_closed_form(mu: float, log_sigma: float) -> None:
    """r = −(a − c)²: ∂J/∂μ = −2(μ − c), ∂J/∂log σ = −2σ² (quadrature integrates the surrogate exactly)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    weights = torch.from_numpy(weights / weights.sum())
    theta = torch.tensor([mu, log_sigma], dtype=torch.float64)
    target = 0.7

    def gaussian(v: Tensor) -> Gaussian:
        return Gaussian(v[0].expand(12, 1), v[1].expand(12, 1))

    acted = gaussian(theta)
    action = acted.mean + acted.std * torch.from_numpy(nodes).unsqueeze(-1)
    zeros = torch.zeros(12, 0)
    batch = Batch(
        obs={"policy": zeros},
        carry=zeros,
        episode_start=torch.zeros(12, dtype=torch.bool),
        action=action,
        log_prob=acted.log_prob(action),
        reference=acted,
        advantage=-((action[:, 0] - target) ** 2) * weights * 12,  # the term averages over rows
        cost_advantage=zeros,
        slack=zeros,
        control=zeros,
        weight=zeros,
    )
    gradient = grad(lambda v: ClippedRatio(1.0, 0.2)(at(gaussian(v)), batch)[0])(theta)
    expected = torch.tensor([-2 * (mu - target), -2 * np.exp(2 * log_sigma)], dtype=torch.float64)
    torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-10)


def test_entropy_weighs_what_its_closed_form_says() -> None:
    """∂H/∂log σ_i = 1 for every action dimension, and nothing for the mean."""
    problem, vector, batch = policy_problem({"entropy": Entropy(0.3)})
    gradient = grad(lambda v: problem.loss(v, batch)[0])(vector)
    views = problem.parameters.views(gradient)
    torch.testing.assert_close(views["head.log_std"], torch.full((2,), -0.3, dtype=torch.float64))
    assert all(float(value.abs().max()) == 0 for name, value in views.items() if name != "head.log_std")


def test_the_critic_problem_is_half_the_squared_error_of_all_columns_and_its_gradient_a_difference() -> None:
    critic = make_critic(("reward", "cost/a")).double()
    parameters = FlatParameters(critic)
    generator = torch.Generator().manual_seed(0)
    critic.scale.copy_(torch.tensor([2.0, 0.5]))
    obs = {"policy": torch.randn(40, 2, generator=generator, dtype=torch.float64)}
    batch = CriticBatch.of_rows(obs, target=torch.randn(40, 2, generator=generator, dtype=torch.float64))
    problem = CriticProblem(critic, parameters)
    vector = torch.randn(len(parameters), generator=generator, dtype=torch.float64)
    exact = grad(lambda v: problem.loss(v, batch)[0])(vector)
    numeric = finite_differences(lambda v: problem.loss(v, batch)[0], vector)
    torch.testing.assert_close(exact, numeric, rtol=1e-5, atol=1e-7)
    parameters.vector.copy_(vector)
    predicted, _ = critic(batch.obs, batch.carry, batch.episode_start)
    error = predicted - batch.target / torch.tensor([2.0, 0.5])
    torch.testing.assert_close(problem.loss(vector, batch)[0], 0.5 * error.square().sum(-1).mean())
