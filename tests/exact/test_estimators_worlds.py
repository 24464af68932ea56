"""Estimators and objective terms in a world whose every trajectory is enumerated: gradients meet autograd of J."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

import pytest
import torch
from problems import at, given
from torch import Tensor
from torch.func import grad

from pgrobot.batch import Batch
from pgrobot.estimators import (
    EstimatorInput,
    discount_from_start,
    gae,
    monte_carlo,
    n_step,
    td_lambda,
    vtrace,
)
from pgrobot.objectives import ClippedRatio, Likelihood, Objective, Ratio

GAMMA, HORIZON = 0.8, 4
DISCOUNT = torch.tensor([GAMMA], dtype=torch.float64)
START = torch.tensor([0.3, 0.7], dtype=torch.float64)
NEXT = torch.tensor([[[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.35, 0.65]]], dtype=torch.float64)  # P(s'|s, a)
REWARD = torch.tensor([[1.0, -0.5], [0.3, 2.0]], dtype=torch.float64)  # of a state and an action
THETA = torch.tensor([[0.2, -0.4], [-0.3, 0.5]], dtype=torch.float64)  # the policy's logits
MU = torch.tensor([[0.4, 0.6], [0.55, 0.45]], dtype=torch.float64)  # another policy's probabilities


@dataclass(frozen=True)
class Softmax:
    """Enough of a distribution over two actions for the terms under test."""

    logits: Tensor  # [..., 2]

    def log_prob(self, action: Tensor) -> Tensor:
        return self.logits.log_softmax(-1).gather(-1, action).squeeze(-1)


@dataclass(frozen=True)
class Trajectories:
    """All of them, side by side as environments, each with its probability."""

    state: Tensor  # [T + 1, N]
    action: Tensor  # [T, N]
    probability: Tensor  # [N]

    def expectation(self, x: Tensor) -> Tensor:
        """Turn an entry per row into one whose *mean over rows* is the expected sum over a trajectory."""
        return x * self.probability * x.numel()


def enumerated(policy: Tensor, start: Tensor = START, horizon: int = HORIZON) -> Trajectories:
    paths = list(itertools.product(range(2), repeat=2 * horizon + 1))
    path = torch.tensor(paths).T
    state, action = path[: horizon + 1], path[horizon + 1 :]
    moves = NEXT[state[:-1], action, state[1:]] * policy[state[:-1], action]
    return Trajectories(state, action, start[state[0]] * moves.prod(0))


def exact_values(policy: Tensor) -> Tensor:
    """V_t(s) of the discounted return over the horizon, ``[T + 1, 2]``; differentiable."""
    values = [torch.zeros(2, dtype=torch.float64)]
    for _ in range(HORIZON):
        values.append((policy * (REWARD + GAMMA * NEXT @ values[-1])).sum(-1))
    return torch.stack(values[::-1])


def exact_return(theta: Tensor) -> Tensor:
    return START @ exact_values(theta.softmax(-1))[0]


def undiscounted_visits(theta: Tensor, visitor: Tensor) -> Tensor:
    """Σ_t Σ_s d_t(s) Σ_a π(a|s) Q_t(s, a) where ``visitor`` visits, differentiated in the last π only."""
    values, visits = exact_values(theta.softmax(-1)).detach(), START
    total = torch.zeros((), dtype=torch.float64)
    for t in range(HORIZON):
        q = REWARD + GAMMA * NEXT @ values[t + 1]
        total = total + visits @ (theta.softmax(-1) * q).sum(-1)
        visits = torch.einsum("s,sa,sax->x", visits, visitor, NEXT)
    return total


def columns(paths: Trajectories, baseline: Tensor, log_ratio: Tensor) -> EstimatorInput:
    """One episode per trajectory, terminated at the horizon, under a critic ``[T + 1, 2]``."""
    steps = torch.arange(HORIZON + 1).unsqueeze(-1)
    value = baseline[steps, paths.state].unsqueeze(-1)
    end = torch.zeros(paths.action.shape, dtype=torch.bool)
    end[-1] = True
    return given(
        reward=REWARD[paths.state[:-1], paths.action].unsqueeze(-1),
        value=value[:-1],
        next_value=value[1:],
        terminated=end,
        done=end,
        log_ratio=log_ratio,
        discount=DISCOUNT,
    )


def gradient(term: Objective, paths: Trajectories, behaviour: Tensor, advantage: Tensor) -> Tensor:
    """Of the term at θ on all trajectories, ``[2, 2]``."""
    distribution = lambda theta: Softmax(theta[paths.state[:-1]])
    read = {
        "action": paths.action.unsqueeze(-1),
        "log_prob": behaviour[paths.state[:-1], paths.action].log(),
        "advantage": paths.expectation(advantage),
        "weight": torch.zeros(0),
    }
    batch = Batch(**{**dict.fromkeys(field.name for field in fields(Batch)), **read})
    return grad(lambda theta: term(at(distribution(theta)), batch)[0])(THETA)


def assert_near(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


PI = THETA.softmax(-1)
ON_POLICY = torch.zeros(HORIZON, 2 ** (2 * HORIZON + 1), dtype=torch.float64)
AGE = torch.arange(HORIZON).unsqueeze(-1)
EXACT = exact_values(PI)
NOTHING = torch.zeros_like(EXACT)
WRONG = torch.tensor([[0.3, -1.0], [2.0, 0.4], [-0.6, 1.5], [0.9, 0.1], [5.0, 5.0]], dtype=torch.float64)
TERMS = [Likelihood(1.0), Ratio(1.0), ClippedRatio(1.0, 0.2)]
for_every_term = pytest.mark.parametrize("term", TERMS, ids=lambda term: type(term).__name__)


@for_every_term
@pytest.mark.parametrize("baseline", [NOTHING, EXACT, WRONG], ids=["none", "exact", "wrong"])
def test_reinforce_with_the_state_discount_is_the_gradient_of_the_discounted_return(
    term: Objective, baseline: Tensor
) -> None:
    paths = enumerated(PI)
    advantage, _, _ = monte_carlo(columns(paths, baseline, ON_POLICY), reward_to_go=True)
    exact = grad(exact_return)(THETA)
    weighted = discount_from_start(AGE.double(), GAMMA) * advantage[..., 0]
    assert_near(gradient(term, paths, PI, weighted), exact)
    # Without the factor it is another vector: what the undiscounted visits of states would have.
    without = gradient(term, paths, PI, advantage[..., 0])
    assert_near(without, grad(lambda theta: undiscounted_visits(theta, PI))(THETA))
    assert float((without - exact).abs().max()) > 0.01


@for_every_term
@pytest.mark.parametrize("baseline", [NOTHING, EXACT, WRONG], ids=["none", "exact", "wrong"])
def test_the_whole_return_carries_the_state_discount(term: Objective, baseline: Tensor) -> None:
    """Without causality the expected gradient is that of the discounted return as it stands."""
    paths = enumerated(PI)
    x = columns(paths, baseline, ON_POLICY)
    advantage, _, _ = monte_carlo(x, reward_to_go=False)
    assert_near(gradient(term, paths, PI, advantage[..., 0]), grad(exact_return)(THETA))


def test_rewards_of_the_past_only_add_variance() -> None:
    paths = enumerated(PI)
    x = columns(paths, NOTHING, ON_POLICY)
    score = torch.nn.functional.one_hot(paths.action, 2) - PI[paths.state[:-1]]  # ∇ log π in the logits
    one_hot = torch.nn.functional.one_hot(paths.state[:-1], 2).double()
    discounts = discount_from_start(AGE.double(), GAMMA).unsqueeze(-1)

    def spread(advantage: Tensor) -> Tensor:
        sample = torch.einsum("tn,tns,tna->nsa", advantage[..., 0], one_hot, score).flatten(1)
        mean = paths.probability @ sample
        return paths.probability @ (sample - mean).square().sum(-1)

    causal = spread(discounts * monte_carlo(x, reward_to_go=True)[0])
    assert float(spread(monte_carlo(x, reward_to_go=False)[0]) / causal) > 1.2


@pytest.mark.parametrize(
    "estimator",
    [
        partial(gae, lam=0.0),
        partial(gae, lam=0.7),
        partial(n_step, n=2),
        partial(td_lambda, lam=0.4, target_lam=1.0),
        partial(vtrace, lam=0.5, rho_bar=1.0, c_bar=1.0, pg_rho_bar=1.0, objective_has_ratio=True),
    ],
    ids=["td", "gae", "n_step", "td_lambda", "vtrace"],
)
def test_with_the_exact_critic_every_estimator_gives_the_exact_gradient(
    estimator: Callable[..., tuple[Tensor, Tensor]],
) -> None:
    """E[Â | s, a] = A^π(s, a) and E[target | s] = V^π(s), whatever λ or n."""
    paths = enumerated(PI)
    advantage, target, _ = estimator(columns(paths, EXACT, ON_POLICY))
    for t in range(HORIZON):
        for s in range(2):
            here = (paths.state[t] == s) * paths.probability
            assert_near(here @ target[t, :, 0] / here.sum(), EXACT[t, s])
            for a in range(2):
                taken = here * (paths.action[t] == a)
                exact = REWARD[s, a] + GAMMA * NEXT[s, a] @ EXACT[t + 1] - EXACT[t, s]
                assert_near(taken @ advantage[t, :, 0] / taken.sum(), exact)
    weighted = discount_from_start(AGE.double(), GAMMA) * advantage[..., 0]
    assert_near(gradient(Ratio(1.0), paths, PI, weighted), grad(exact_return)(THETA))


@pytest.mark.parametrize(
    ("term", "objective_has_ratio"),
    [(Likelihood(1.0), False), (Ratio(1.0), True), (ClippedRatio(1.0, 10.0), True)],
    ids=["likelihood", "ratio", "clipped"],
)
def test_vtrace_weighs_a_stale_sample_once(term: Objective, objective_has_ratio: bool) -> None:
    """Another policy's experience: π's action values at the states μ visits, and the same for every kind of term."""
    paths = enumerated(MU)
    log_ratio = (PI / MU)[paths.state[:-1], paths.action].log()
    bars = dict.fromkeys(("rho_bar", "c_bar", "pg_rho_bar"), math.inf)
    x = columns(paths, EXACT, log_ratio)
    exact = grad(lambda theta: undiscounted_visits(theta, MU))(THETA)

    def estimate(*, has_ratio: bool, baseline: float) -> Tensor:
        advantage, _, weight = vtrace(x, lam=0.6, **bars, objective_has_ratio=has_ratio)
        return gradient(term, paths, MU, weight * (advantage[..., 0] - baseline))

    assert_near(estimate(has_ratio=objective_has_ratio, baseline=0.0), exact)
    assert_near(estimate(has_ratio=objective_has_ratio, baseline=3.0), exact)
    wrong = estimate(has_ratio=not objective_has_ratio, baseline=0.0)
    assert float((wrong - exact).abs().max()) > 0.01, "weighed twice"


def test_vtrace_clips_the_weight_of_a_sample_in_either_use() -> None:
    paths = enumerated(MU)
    ratio = (PI / MU)[paths.state[:-1], paths.action]
    x = columns(paths, WRONG, ratio.log())
    bars = {"lam": 0.6, "rho_bar": 1.0, "c_bar": 1.0}
    assert 0.1 < float((ratio > 0.9).double().mean()) < 0.9

    def estimate(term: Objective, *, has_ratio: bool, pg_rho_bar: float) -> Tensor:
        advantage, _, weight = vtrace(x, **bars, pg_rho_bar=pg_rho_bar, objective_has_ratio=has_ratio)
        return gradient(term, paths, MU, weight * advantage[..., 0])

    one = estimate(Likelihood(1.0), has_ratio=False, pg_rho_bar=0.9)
    assert_near(estimate(Ratio(1.0), has_ratio=True, pg_rho_bar=0.9), one)
    unclipped = estimate(Likelihood(1.0), has_ratio=False, pg_rho_bar=math.inf)
    assert float((unclipped - one).abs().max()) > 0.01


def test_without_clipping_vtrace_is_per_decision_importance_sampling() -> None:
    """``Σ_t γ^t ρ_0 … ρ_t r_t`` of another policy's trajectories (Precup 2000): its mean is J(π), its variance known.

    The second moment follows ``S(s) = Σ_a μ ρ² E[r² + 2 γ r V(s') + γ² S(s')]`` backwards; a critic that knows V
    takes away variance and no mean.
    """
    paths = enumerated(MU)
    ratio = (PI / MU)[paths.state[:-1], paths.action]
    bars = dict.fromkeys(("rho_bar", "c_bar", "pg_rho_bar"), math.inf)
    of = lambda critic: vtrace(
        columns(paths, critic, ratio.log()), lam=1.0, **bars, objective_has_ratio=True
    ).target[0, :, 0]
    reward = REWARD[paths.state[:-1], paths.action]
    by_hand = (GAMMA ** AGE.double() * ratio.cumprod(0) * reward).sum(0)
    assert_near(of(NOTHING), by_hand)
    second = torch.zeros(2, dtype=torch.float64)
    for t in reversed(range(HORIZON)):
        following = REWARD.square() + 2 * GAMMA * REWARD * (NEXT @ EXACT[t + 1]) + GAMMA**2 * (NEXT @ second)
        second = (PI.square() / MU * following).sum(-1)
    mean = START @ EXACT[0]
    assert_near(paths.probability @ of(NOTHING), mean)
    assert_near(paths.probability @ of(NOTHING).square(), START @ second)
    variance = lambda x: paths.probability @ (x - paths.probability @ x).square()
    whole = ratio.prod(0) * (GAMMA ** AGE.double() * reward).sum(0)  # one weight for a whole trajectory
    assert_near(paths.probability @ whole, mean)
    assert float(variance(of(NOTHING)) / variance(whole)) < 0.9
    assert_near(paths.probability @ of(EXACT), mean)
    assert float(variance(of(EXACT)) / variance(of(NOTHING))) < 0.9


@pytest.mark.parametrize(("lam", "c_bar"), [(1.0, 1.0), (0.4, 1.0), (1.0, 0.3)])
def test_the_fixed_point_of_vtrace_is_the_value_of_the_clipped_policy(lam: float, c_bar: float) -> None:
    """Iterating V ← E_μ[v] ends at V of the policy proportional to min(ρ̄ μ, π), whatever λ and c̄; not at V of π."""
    rho_bar, horizon = 0.8, 3
    paths = enumerated(MU, torch.ones(2, dtype=torch.float64), horizon)
    log_ratio = (PI / MU)[paths.state[:-1], paths.action].log()
    never = torch.zeros(horizon, paths.action.shape[1], dtype=torch.bool)  # the rollout ends, no episode does

    def operate(v: Tensor) -> Tensor:
        value = v[paths.state].unsqueeze(-1)
        _, target, _ = vtrace(
            given(
                reward=REWARD[paths.state[:-1], paths.action].unsqueeze(-1),
                value=value[:-1],
                next_value=value[1:],
                terminated=never,
                done=never,
                log_ratio=log_ratio,
                discount=DISCOUNT,
            ),
            lam=lam,
            rho_bar=rho_bar,
            c_bar=c_bar,
            pg_rho_bar=1.0,
            objective_has_ratio=True,
        )
        return torch.stack([(paths.probability * (paths.state[0] == s)) @ target[0, :, 0] for s in range(2)])

    v = torch.zeros(2, dtype=torch.float64)
    for _ in range(300):
        v = operate(v)

    def endless(policy: Tensor) -> Tensor:
        moves = torch.einsum("sa,sax->sx", policy, NEXT)
        return torch.linalg.solve(
            torch.eye(2, dtype=torch.float64) - GAMMA * moves, (policy * REWARD).sum(-1)
        )

    clipped = torch.minimum(rho_bar * MU, PI)
    assert_near(v, endless(clipped / clipped.sum(-1, keepdim=True)))
    assert float((v - endless(PI)).abs().max()) > 0.05


@pytest.mark.parametrize("kind", [torch.int64, torch.float32, torch.float64])
def test_the_state_discount_starts_anew_with_every_episode(kind: torch.dtype) -> None:
    age = torch.tensor([[0, 7], [1, 0], [2, 1]], dtype=kind)
    expected = torch.tensor([[1.0, 0.9**7], [0.9, 1.0], [0.81, 0.9]], dtype=torch.float64)
    weight = discount_from_start(age, 0.9)
    assert weight.dtype == (torch.float32 if kind is torch.int64 else kind)
    torch.testing.assert_close(weight.double(), expected, rtol=1e-6, atol=0)
    assert torch.equal(discount_from_start(age, 1.0), torch.ones_like(weight))
    assert torch.equal(discount_from_start(age, 0.0), (age == 0).to(weight.dtype))
