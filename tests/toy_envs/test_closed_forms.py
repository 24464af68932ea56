"""The closed forms that the worlds carry, each against another way to the same number."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import Tensor

from pgrobot.configure import compose, validated
from pgrobot.envs.toys import (
    LQR,
    GaussianBandit,
    LinearQuadratic,
    SoftmaxBandit,
    TabularMDP,
    constrained_optimum,
)
from pgrobot.errors import PgrobotError

BANDIT = GaussianBandit(name="bandit", centre=0.7)
ARMS = SoftmaxBandit(name="arms", values=[0.2, -0.5, 1.0, 0.4], noise=0.0)
DISCOUNT = 0.9


def quadrature() -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(16)
    return nodes, weights / weights.sum()


def mdp() -> TabularMDP:
    cfg = validated(compose(["task=mdp"])).task
    return TabularMDP(**{str(key): value for key, value in cfg.items() if key != "_target_"})


def policy_of(preferences: Tensor) -> Tensor:
    return torch.softmax(preferences, dim=-1)


PREFERENCES = torch.tensor([[0.3, -0.4], [0.1, 0.9], [-0.2, 0.5]], dtype=torch.float64)


@pytest.mark.parametrize(("mean", "std"), [(0.3, 0.6), (-1.2, 1.3), (0.7, 0.2)])
def test_gaussian_bandit_moments_equal_quadrature(mean: float, std: float) -> None:
    """Gauss–Hermite with 16 nodes integrates these polynomials exactly."""
    nodes, weights = quadrature()
    score = np.stack([nodes / std, nodes**2 - 1.0])
    reward = BANDIT.reward(mean + std * nodes)
    assert BANDIT.value(mean, std) == pytest.approx(weights @ reward, rel=1e-12)
    np.testing.assert_allclose(BANDIT.gradient(mean, std), (score * reward) @ weights, atol=1e-11)
    fisher = np.diag((score**2) @ weights)
    natural = np.linalg.solve(fisher, BANDIT.gradient(mean, std))
    np.testing.assert_allclose(BANDIT.natural_gradient(mean, std), natural, atol=1e-11)

    def variance(baseline: float) -> np.ndarray:
        sample = score * (reward - baseline)
        return (sample**2) @ weights - (sample @ weights) ** 2

    for baseline in (0.0, BANDIT.value(mean, std), 1.7):
        np.testing.assert_allclose(BANDIT.variance(mean, std, baseline), variance(baseline), rtol=1e-10)
    for index, best in enumerate(BANDIT.best_baselines(mean, std)):
        least = variance(best)[index]
        assert all(variance(best + shift)[index] > least for shift in (-0.1, 0.1))


def test_the_three_variances_of_the_mean_as_they_are_quoted() -> None:
    mean, std = 0.2, 0.8
    d2, s2 = (mean - 0.7) ** 2, std**2
    of_mean = [
        BANDIT.variance(mean, std, b)[0]
        for b in (0.0, BANDIT.value(mean, std), BANDIT.best_baselines(mean, std)[0])
    ]
    quoted = [15 * s2 + 14 * d2 + d2**2 / s2, 10 * s2 + 8 * d2, 6 * s2 + 8 * d2]
    np.testing.assert_allclose(of_mean, quoted, rtol=1e-12)


def test_the_regularised_optima_are_optima() -> None:
    std = BANDIT.best_deviation(0.3)

    def regularised(s: float) -> float:
        return BANDIT.value(0.7, s) + 0.3 * (math.log(s) + 0.5 * math.log(2 * math.pi * math.e))

    assert all(regularised(std) > regularised(std * factor) for factor in (0.99, 1.01))
    best = ARMS.best_policy(0.5)
    values = np.array(ARMS.values)

    def of_arms(p: np.ndarray) -> float:
        return float(p @ values - 0.5 * p @ np.log(p))

    other = softmax(np.log(best) + 0.01 * np.random.default_rng(0).standard_normal((20, 4)), axis=1)
    assert all(of_arms(best) > of_arms(p) for p in other)


def test_the_softmax_gradient_is_that_of_the_value() -> None:
    preferences = torch.tensor([0.1, -0.3, 0.8, 0.0], dtype=torch.float64, requires_grad=True)
    (torch.softmax(preferences, 0) @ torch.tensor(ARMS.values, dtype=torch.float64)).backward()
    assert preferences.grad is not None
    np.testing.assert_allclose(ARMS.gradient(preferences.detach().numpy()), preferences.grad, atol=1e-15)


def test_values_solve_bellmans_equation_and_sum_the_rewards() -> None:
    model, policy = mdp().model, policy_of(PREFERENCES)
    value, score = model.values(policy, DISCOUNT, model.reward)
    torch.testing.assert_close((policy * score).sum(-1), value, rtol=1e-12, atol=1e-12)
    under = torch.einsum("sa,sat->st", policy, model.transition)
    power, total = torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for t in range(400):
        total += DISCOUNT**t * power @ (policy * model.reward).sum(-1)
        power = power @ under
    torch.testing.assert_close(value, total, rtol=1e-12, atol=1e-12)
    occupancy = model.occupancy(policy, DISCOUNT)
    assert float(occupancy @ (policy * model.reward).sum(-1)) == pytest.approx(
        float(model.objective(policy, DISCOUNT)), rel=1e-12
    )


def test_finite_values_sum_over_all_paths() -> None:
    """Every path of states and actions of four steps, one by one."""
    model, policy, horizon = mdp().model, policy_of(PREFERENCES), 4
    p, q, r, start = (x.numpy() for x in (model.transition, policy, model.reward, model.start))
    total = 0.0
    for states in itertools.product(range(3), repeat=horizon):
        for actions in itertools.product(range(2), repeat=horizon):
            weight = start[states[0]]
            for t in range(horizon):
                weight *= q[states[t], actions[t]]
                # each beginning is met once per way to go on
                share = weight / 6 ** (horizon - 1 - t)
                total += share * DISCOUNT**t * r[states[t], actions[t]]
                if t + 1 < horizon:
                    weight *= p[states[t], actions[t], states[t + 1]]
    assert float(model.finite_objective(policy, DISCOUNT, horizon)) == pytest.approx(total, rel=1e-12)
    values, scores = model.finite_values(policy, DISCOUNT, model.reward, horizon)
    assert values.shape == (horizon + 1, 3)
    assert scores.shape == (horizon, 3, 2)
    assert float(values[-1].abs().max()) == 0.0


def test_the_policy_gradient_theorem_holds_for_the_objective() -> None:
    """∇J = Σ_s d(s) Σ_a ∇π(a|s) Q(s, a), against automatic differentiation through the solve."""
    model = mdp().model
    preferences = PREFERENCES.clone().requires_grad_()
    policy = policy_of(preferences)
    (exact,) = torch.autograd.grad(model.objective(policy, DISCOUNT), preferences, retain_graph=True)
    occupancy = model.occupancy(policy.detach(), DISCOUNT)
    _, score = model.values(policy.detach(), DISCOUNT, model.reward)
    (theorem,) = torch.autograd.grad((occupancy[:, None] * policy * score).sum(), preferences)
    torch.testing.assert_close(exact, theorem, rtol=1e-12, atol=1e-12)


def test_the_linear_program_is_optimal_and_its_multiplier_is_the_price() -> None:
    model = mdp().model
    free = constrained_optimum(model, DISCOUNT, [1e6])
    assert free.multipliers.tolist() == [0.0]
    budget = 0.5 * free.costs[0]
    found = constrained_optimum(model, DISCOUNT, [budget])
    policy = torch.from_numpy(found.policy)
    assert float(model.objective(policy, DISCOUNT)) == pytest.approx(found.value, rel=1e-9)
    spent = model.start @ model.values(policy, DISCOUNT, model.cost[0])[0]
    assert float(spent) == pytest.approx(budget, rel=1e-9)
    assert found.value < free.value
    more = constrained_optimum(model, DISCOUNT, [budget + 1e-4])
    assert (more.value - found.value) / 1e-4 == pytest.approx(found.multipliers[0], rel=1e-4)
    # strong duality: the best deterministic policy at that price has the same Lagrangian
    priced = model.reward - found.multipliers[0] * model.cost[0]
    best = max(
        float(
            model.start @ model.values(torch.eye(2, dtype=torch.float64)[list(choice)], DISCOUNT, priced)[0]
        )
        for choice in itertools.product(range(2), repeat=3)
    )
    assert best + found.multipliers[0] * budget == pytest.approx(found.value, rel=1e-9)
    with pytest.raises(PgrobotError, match="no policy keeps"):
        constrained_optimum(model, DISCOUNT, [-1.0])


def regulator(task: str = "lqg") -> LinearQuadratic:
    cfg = validated(compose([f"task={task}"])).task
    return LQR(**{str(key): value for key, value in cfg.items() if key != "_target_"}).model(0.95)


GAIN, DEVIATION = np.array([[1.2, 1.5]]), np.array([0.4])


def test_the_value_matrix_solves_bellmans_equation() -> None:
    lq = regulator()
    nodes, weights = quadrature()
    state = np.array([0.8, -1.1])
    grid = np.stack(np.meshgrid(nodes, nodes, nodes), axis=-1).reshape(-1, 3)
    weight = np.prod(np.stack(np.meshgrid(weights, weights, weights), axis=-1), axis=-1).ravel()
    action = -GAIN @ state + DEVIATION * grid[:, :1]
    noise = np.sqrt(np.diag(lq.noise)) * grid[:, 1:]
    successor = lq.dynamics @ state + action @ lq.control.T + noise
    reward = -(state @ lq.state_cost @ state + (action @ lq.action_cost * action).sum(1))
    value = weight @ (reward + 0.95 * lq.value(GAIN, DEVIATION, successor))
    assert float(lq.value(GAIN, DEVIATION, state)) == pytest.approx(value, rel=1e-10)
    root = np.linalg.cholesky(lq.start)
    mean = sum(
        weights[i] * weights[j] * lq.value(GAIN, DEVIATION, root @ np.array([nodes[i], nodes[j]]))
        for i, j in itertools.product(range(16), repeat=2)
    )
    assert lq.objective(GAIN, DEVIATION) == pytest.approx(float(mean), rel=1e-10)


def test_the_moments_are_the_discounted_sum() -> None:
    lq = regulator()
    moment, total = lq.start.copy(), np.zeros((2, 2))
    step, noise = lq.closed_loop(GAIN), lq.noise + DEVIATION[0] ** 2 * lq.control @ lq.control.T
    for t in range(1200):
        total += 0.95**t * moment
        moment = step @ moment @ step.T + noise
    np.testing.assert_allclose(lq.moments(GAIN, DEVIATION), total, rtol=1e-10)


def test_the_gradient_is_the_finite_difference_of_the_objective() -> None:
    lq = regulator()
    of_gain, of_deviation = lq.gradient(GAIN, DEVIATION)
    for index in range(2):
        shift = np.zeros((1, 2))
        shift[0, index] = 1e-5
        ahead, behind = lq.objective(GAIN + shift, DEVIATION), lq.objective(GAIN - shift, DEVIATION)
        assert of_gain[0, index] == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)
    ahead, behind = (lq.objective(GAIN, DEVIATION * math.exp(shift)) for shift in (1e-5, -1e-5))
    assert of_deviation[0] == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_the_gradient_of_a_finite_horizon_is_the_finite_difference_of_its_objective(horizon: int) -> None:
    """The objective is a polynomial of the gain, so a small step's difference is its derivative but for rounding."""
    lq = regulator()
    of_gain, of_deviation = lq.finite_gradient(GAIN, DEVIATION, horizon)
    for index in range(2):
        shift = np.zeros((1, 2))
        shift[0, index] = 1e-5
        ahead, behind = (lq.finite_objective(GAIN + s, DEVIATION, horizon) for s in (shift, -shift))
        assert of_gain[0, index] == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)
    ahead, behind = (
        lq.finite_objective(GAIN, DEVIATION * math.exp(shift), horizon) for shift in (1e-5, -1e-5)
    )
    assert of_deviation[0] == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)


def test_a_long_horizon_is_the_endless_problem() -> None:
    lq = regulator()
    long, endless = lq.finite_objective(GAIN, DEVIATION, 1000), lq.objective(GAIN, DEVIATION)
    assert long == pytest.approx(endless, rel=1e-10)
    for found, exact in zip(
        lq.finite_gradient(GAIN, DEVIATION, 1000), lq.gradient(GAIN, DEVIATION), strict=True
    ):
        np.testing.assert_allclose(found, exact, rtol=1e-9)


def test_the_natural_gradient_solves_the_fisher_system() -> None:
    """``F = (1 − γ) M / σ²`` for one action, averaged over discounted states; in ``(1 − γ) ∇J`` it cancels."""
    lq = regulator()
    of_gain, of_deviation = lq.gradient(GAIN, DEVIATION)
    fisher = lq.moments(GAIN, DEVIATION) / DEVIATION[0] ** 2
    natural, natural_deviation = lq.natural_gradient(GAIN, DEVIATION)
    np.testing.assert_allclose(natural[0], np.linalg.solve(fisher, of_gain[0]), rtol=1e-10)
    np.testing.assert_allclose(natural_deviation, (1 - 0.95) * of_deviation / 2, rtol=1e-12)


@pytest.mark.parametrize("task", ["lqr", "lqg"])
def test_riccati_is_the_optimum_and_noise_does_not_move_it(task: str) -> None:
    lq = regulator(task)
    gain, cost = lq.riccati()
    np.testing.assert_allclose(lq.cost_matrix(gain), cost, rtol=1e-9)
    assert np.abs(lq.gradient(gain, DEVIATION)[0]).max() < 1e-9
    random = np.random.default_rng(0)
    best = lq.objective(gain, DEVIATION)
    assert all(best > lq.objective(gain + 0.1 * random.standard_normal((1, 2)), DEVIATION) for _ in range(20))
    np.testing.assert_allclose(gain, regulator("lqr").riccati()[0], rtol=1e-12)


def test_a_gain_of_infinite_cost_is_refused() -> None:
    with pytest.raises(PgrobotError, match="infinite"):
        regulator().cost_matrix(np.array([[-20.0, -20.0]]))
