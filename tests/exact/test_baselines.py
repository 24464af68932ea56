"""Baselines: closed forms, and unbiasedness by summing over all that could have been drawn.

The Gaussian bandit has the reward ``−(a − c)²`` with ``a = m + σz``, ``d = m − c``: ``r = −(σz + d)²``. An expectation
of a polynomial in ``z`` is a Gauss–Hermite sum, so nothing here is sampled.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import grad, vmap
from torch.utils import _pytree as pytree
from toys import make_policy

from pgrobot.baselines import Baseline, Constant, Controlled, NoBaseline, Optimal, Projection, Value
from pgrobot.baselines.normalisation import NORMALISATIONS
from pgrobot.baselines.projection import principal_components, ridge_regression
from pgrobot.batch import BaselineInput, Batch
from pgrobot.control_variates import expected_features, features
from pgrobot.distributions import Gaussian
from pgrobot.objectives import ControlVariate, Likelihood, Ratio
from pgrobot.solvers import FlatParameters, PolicyProblem

CENTRE, MEAN, STD = 0.3, 1.0, 0.8
D = MEAN - CENTRE
NODES, WEIGHTS = (torch.from_numpy(x) for x in np.polynomial.hermite_e.hermegauss(12))
WEIGHTS = WEIGHTS / WEIGHTS.sum()
GRADIENT = torch.tensor([-2 * D, -2 * STD**2], dtype=torch.float64)
BEST = -(D**2 / STD**2 + 3 + 2 * D**2 + 10 * STD**2) / (1 / STD**2 + 2)  # E[‖s‖² r] / E[‖s‖²]

Terms = dict[str, Any]
LIKELIHOOD: Terms = {"likelihood": Likelihood(1.0), "control": ControlVariate(1.0)}
RATIO: Terms = {"ratio": Ratio(1.0), "control": ControlVariate(1.0)}


def problem(terms: Terms) -> tuple[PolicyProblem, Tensor]:
    """A Gaussian policy whose parameters are its mean's bias and its log-deviation: its observation is zero."""
    policy = make_policy({"policy": 1}, hidden=()).double()
    with torch.no_grad():
        policy.get_parameter("head.log_std").fill_(math.log(STD))
        policy.output.bias.fill_(MEAN)
    parameters = FlatParameters(policy)
    return PolicyProblem(policy, parameters, terms), parameters.vector


def pair(gradient: Tensor) -> Tensor:
    """The two that matter of the parameters ``[…, P]``: mean and log-deviation."""
    named = dict(zip(("log_std", "weight", "bias"), gradient.unbind(-1), strict=True))
    assert bool((named["weight"] == 0).all())
    return torch.stack((named["bias"], named["log_std"]), -1)


def drawn(noise: Tensor) -> tuple[BaselineInput, Batch]:
    """Noise ``[T, N]`` as the actions of a bandit, with the critic's value exact."""
    action = (MEAN + STD * noise).unsqueeze(-1)
    reference = Gaussian(torch.full_like(action, MEAN), torch.full_like(action, math.log(STD)))
    returns = -(action[..., 0] - CENTRE).square()
    value = -(D**2 + STD**2)
    shape = noise.shape
    batch = Batch(
        obs={"policy": torch.zeros_like(action)},
        carry=torch.zeros(*shape, 0),
        episode_start=torch.ones(shape, dtype=torch.bool),
        action=action,
        log_prob=reference.log_prob(action),
        reference=reference,
        advantage=returns - value,
        cost_advantage=torch.zeros(*shape, 0),
        slack=torch.zeros(*shape, 0),
        control=torch.zeros(*shape, 0),
        weight=torch.zeros(*shape, 0),
    )
    sample = BaselineInput(
        obs=batch.obs,
        action=action,
        reference=reference,
        done=torch.ones(shape, dtype=torch.bool),
        counts=torch.ones(shape, dtype=torch.bool),
        age=torch.zeros(shape),
        returns=returns,
        advantage=returns - value,
        weight=torch.ones(shape, dtype=torch.float64),
        score_norm=lambda: noise.square() / STD**2 + (noise.square() - 1).square(),
    )
    return sample, batch


def controlled(batch: Batch, left: Controlled) -> Batch:
    return dataclasses.replace(batch, advantage=left.advantage, control=left.control)


def gradients(batch: Batch, terms: Terms) -> Tensor:
    """Every row's gradient, ``[T·N, 2]``, of what training ascends."""
    stated, vector = problem(terms)
    rows = pytree.tree_map(lambda x: x.flatten(0, 1).unsqueeze(1), batch)
    each = vmap(grad(lambda v, row: stated.loss(v, row)[0]), in_dims=(None, 0))(vector, rows)
    return -pair(each)


def joint(rows: int, nodes: int) -> tuple[Tensor, Tensor]:
    """Every combination of quadrature nodes for the noise of ``rows`` independent actions, with its weight."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    noise = torch.tensor(list(itertools.product(points, repeat=rows)), dtype=torch.float64)
    weight = torch.tensor(list(itertools.product(weights / weights.sum(), repeat=rows)), dtype=torch.float64)
    return noise, weight.prod(-1)


def expected_gradient(
    baseline: Baseline, rows: int, change: Callable[[Batch], Batch] = lambda b: b
) -> Tensor:
    """The expectation of the mean gradient of ``rows`` environments of one step: exact while it is a polynomial of
    degree 13 in each action, whatever it is in the others."""
    noise, weight = joint(rows, 7)
    batches = []
    for one in noise:
        sample, batch = drawn(one.unsqueeze(0))
        batches.append(change(controlled(batch, baseline(sample))))
    stacked: Batch = pytree.tree_map(lambda *x: torch.cat(x), *batches)
    return weight @ gradients(stacked, LIKELIHOOD).view(len(noise), rows, 2).mean(1)


# ---- closed forms ---------------------------------------------------------------------------------------------------


def moments(left: Controlled, terms: Terms = LIKELIHOOD) -> tuple[Tensor, Tensor]:
    """Mean and variance of one row's gradient."""
    _, batch = drawn(NODES.unsqueeze(0))
    found = gradients(controlled(batch, left), terms)
    mean = WEIGHTS @ found
    return mean, WEIGHTS @ (found - mean).square()


def mean_variance(b: float) -> float:
    """Of the mean's gradient with the baseline ``b``."""
    q = D**2 + b
    return (15 * STD**4 + 12 * STD**2 * D**2 + q**2 + 6 * STD**2 * q) / STD**2 - 4 * D**2


def weighted(sample: BaselineInput) -> BaselineInput:
    """Quadrature weights inside what the scalar baselines average."""
    return dataclasses.replace(sample, score_norm=lambda: WEIGHTS * sample.score_norm())


@pytest.mark.parametrize(
    ("name", "constant", "closed_form"),
    [
        ("none", 0.0, 15 * STD**2 + 14 * D**2 + D**4 / STD**2),
        ("value", -(D**2 + STD**2), 10 * STD**2 + 8 * D**2),
        ("best for the mean", -(D**2 + 3 * STD**2), 6 * STD**2 + 8 * D**2),
        ("optimal", BEST, mean_variance(BEST)),
    ],
)
def test_one_sample_has_the_variance_of_its_closed_form(
    name: str, constant: float, closed_form: float
) -> None:
    sample, _ = drawn(NODES.unsqueeze(0))
    another_critic = dataclasses.replace(sample, advantage=sample.returns + D**2 + 3 * STD**2)
    left = {
        "none": NoBaseline()(sample),
        "value": Value()(sample),
        "best for the mean": Value()(another_critic),
        "optimal": Optimal(folds=1)(weighted(sample)),
    }[name]
    torch.testing.assert_close(left.advantage, sample.returns - constant, rtol=0, atol=1e-12)
    assert mean_variance(constant) == pytest.approx(closed_form, rel=1e-12)
    mean, variance = moments(left)
    torch.testing.assert_close(mean, GRADIENT, rtol=0, atol=1e-12)
    assert float(variance[0]) == pytest.approx(closed_form, rel=1e-11)


def test_no_constant_beats_the_optimal_one() -> None:
    sample, _ = drawn(NODES.unsqueeze(0))
    best = float(moments(Optimal(folds=1)(weighted(sample)))[1].sum())
    for shift in (-0.1, 0.1):
        other = Controlled(sample.returns - BEST + shift, sample.returns.new_zeros(1, len(NODES), 0))
        assert float(moments(other)[1].sum()) > best + 1e-3


def test_the_optimal_one_minimises_the_variance_of_rows_that_weigh_differently() -> None:
    """``E[w² ‖s‖² (Ĝ − b)²]``, here of weights that go with the returns, as γ^t does where returns grow with age."""
    sample, _ = drawn(NODES.unsqueeze(0))
    sample = dataclasses.replace(weighted(sample), weight=1.0 / (1.0 + sample.returns.square()))

    def second_moment(left: Tensor) -> float:
        return float((sample.weight.square() * sample.score_norm() * left.square()).sum())

    best = Optimal(folds=1)(sample).advantage
    for shift in (-0.01, 0.01):
        assert second_moment(best + shift) > second_moment(best)


def test_the_norm_of_scores_is_the_closed_form() -> None:
    sample, batch = drawn(NODES.unsqueeze(0))
    stated, vector = problem(LIKELIHOOD)
    rows = pytree.tree_map(lambda x: x.flatten(0, 1), batch)
    torch.testing.assert_close(
        stated.score_norm(vector, rows), sample.score_norm()[0], rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("terms", [LIKELIHOOD, RATIO])
def test_a_reparameterised_control_variate_leaves_the_variance_of_its_closed_form(terms: Terms) -> None:
    """Q-Prop with the exact Q: ``φ = Q′(m)(a − m) = −2dσz`` leaves ``−σ²(z² − 1)`` of the advantage, hence the
    variances ``10σ²`` and ``56σ⁴``; with the quadratic feature nothing is left, and one action tells the gradient."""
    sample, _ = drawn(NODES.unsqueeze(0))
    noise = features(sample.action, sample.reference)
    slope, curvature = -2 * D * STD, -(STD**2)
    linear = Controlled(sample.advantage - slope * noise[..., 0], torch.full_like(noise[..., :1], slope))
    mean, variance = moments(linear, terms)
    torch.testing.assert_close(mean, GRADIENT, rtol=0, atol=1e-12)
    exact = torch.tensor([10 * STD**2, 56 * STD**4], dtype=torch.float64)
    torch.testing.assert_close(variance, exact, rtol=1e-10, atol=0)
    both = torch.tensor([slope, curvature], dtype=torch.float64).expand_as(noise)
    quadratic = Controlled(sample.advantage - (both * noise).sum(-1), both)
    mean, variance = moments(quadratic, terms)
    torch.testing.assert_close(mean, GRADIENT, rtol=0, atol=1e-12)
    assert float(variance.max()) < 1e-20


def test_a_cross_fitted_projection_finds_that_control_variate() -> None:
    """The advantage is a quadratic in the noise: any four actions of others determine it."""
    noise = torch.randn(1, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sample, batch = drawn(noise)
    left = Projection("quadratic", components=0, ridge=1e-14, folds=3)(sample)
    assert float(left.advantage.abs().max()) < 1e-9
    exact = torch.tensor([-2 * D * STD, -(STD**2)], dtype=torch.float64)
    torch.testing.assert_close(left.control, exact.expand_as(left.control), rtol=0, atol=1e-9)
    each = gradients(controlled(batch, left), LIKELIHOOD)
    torch.testing.assert_close(each, GRADIENT.expand_as(each), rtol=0, atol=1e-8)


@pytest.mark.parametrize("scale", [-2.0, 0.3, 1.0])
def test_the_optimal_coefficient_leaves_one_minus_the_squared_correlation(scale: float) -> None:
    """``g − C h`` with ``C = Cov(g, h) / Var(h)`` has the variance ``(1 − ρ²) Var(g)``, whatever the sign and the size
    of ``h``, here what the quadratic feature contributes: its score term less the gradient of its expectation."""
    sample, batch = drawn(NODES.unsqueeze(0))
    feature = scale * features(sample.action, sample.reference)
    direction = torch.tensor([1.0, 0.5], dtype=torch.float64)

    def with_coefficient(c: float) -> Tensor:
        control = c * scale * direction.expand_as(feature)
        advantage = sample.advantage - c * (feature * direction).sum(-1)
        return gradients(controlled(batch, Controlled(advantage, control)), LIKELIHOOD)

    plain = with_coefficient(0.0)
    term = plain - with_coefficient(1.0)
    torch.testing.assert_close(WEIGHTS @ term, torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-12)
    for k in range(2):
        g, h = plain[:, k] - GRADIENT[k], term[:, k]
        covariance, variance = WEIGHTS @ (g * h), WEIGHTS @ h.square()
        squared_correlation = covariance**2 / variance / (WEIGHTS @ g.square())
        assert 0.05 < float(squared_correlation) < 0.999
        best = with_coefficient(float(covariance / variance))[:, k]
        torch.testing.assert_close(WEIGHTS @ best, GRADIENT[k], rtol=0, atol=1e-12)
        left = WEIGHTS @ (best - GRADIENT[k]).square() / (WEIGHTS @ g.square())
        torch.testing.assert_close(left, 1 - squared_correlation, rtol=1e-10, atol=0)


# ---- unbiased, by summing over all that could have been drawn -------------------------------------------------------

CROSS_FITTED = {
    "none": NoBaseline(),
    "value": Value(),
    "constant": Constant(folds=3),
    "optimal": Optimal(folds=3),
    "linear": Projection("linear", components=0, ridge=0.1, folds=3),
    "quadratic": Projection("quadratic", components=1, ridge=0.01, folds=2),
}


@pytest.mark.parametrize("name", CROSS_FITTED)
def test_cross_fitted_baselines_are_unbiased(name: str) -> None:
    found = expected_gradient(CROSS_FITTED[name], rows=3)
    torch.testing.assert_close(found, GRADIENT, rtol=0, atol=1e-12)


@pytest.mark.parametrize("rows", [2, 3])
def test_a_mean_of_the_same_batch_loses_one_part_in_its_rows(rows: int) -> None:
    found = expected_gradient(Constant(folds=1), rows)
    torch.testing.assert_close(found, GRADIENT * (1 - 1 / rows), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "baseline",
    [Optimal(folds=1), *(Projection(p, components=0, ridge=0.1, folds=1) for p in ("linear", "quadratic"))],
)
def test_fits_to_the_same_batch_are_biased(baseline: Baseline) -> None:
    assert float((expected_gradient(baseline, 3) - GRADIENT).abs().max()) > 1e-2


def test_a_residual_in_another_unit_than_its_correction_is_biased() -> None:
    """What the released Q-Prop does: one half divided by its deviation, the other not. One scale for both is a scale
    of the whole gradient."""
    baseline = Projection("linear", components=0, ridge=0.1, folds=3)

    def half(batch: Batch) -> Batch:
        return dataclasses.replace(batch, advantage=batch.advantage / 2)

    def both(batch: Batch) -> Batch:
        return dataclasses.replace(half(batch), control=batch.control / 2)

    torch.testing.assert_close(expected_gradient(baseline, 3, both), GRADIENT / 2, rtol=0, atol=1e-12)
    assert float((expected_gradient(baseline, 3, half) - GRADIENT / 2).abs().max()) > 1e-2


def test_a_correction_that_is_left_out_is_missed() -> None:
    baseline = Projection("linear", components=0, ridge=0.1, folds=3)

    def without(batch: Batch) -> Batch:
        return dataclasses.replace(batch, control=batch.control[..., :0])

    assert float((expected_gradient(baseline, 3, without) - GRADIENT).abs().max()) > 1e-2


# ---- folds ----------------------------------------------------------------------------------------------------------


def in_a_row(baseline: Baseline, done: Tensor, returns: Tensor) -> Tensor:
    """What a baseline takes from returns ``[T, N]``."""
    sample, _ = drawn(torch.zeros_like(returns))
    changed = dataclasses.replace(
        sample, done=done, returns=returns, advantage=returns, score_norm=lambda: torch.ones_like(returns)
    )
    return returns - baseline(changed).advantage


@pytest.mark.parametrize("baseline", [Constant(2), Optimal(2), Projection("linear", 0, 1e-3, 2)])
def test_what_is_taken_from_a_trajectory_does_not_depend_on_it(baseline: Baseline) -> None:
    """Environments are the folds; of a single one its episodes are."""
    generator = torch.Generator().manual_seed(0)
    returns = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    done = torch.rand(6, 4, generator=generator) < 0.3
    before = in_a_row(baseline, done, returns)
    changed = returns.clone()
    changed[:, 2] += 1.0
    after = in_a_row(baseline, done, changed)
    torch.testing.assert_close(after[:, [0, 2]], before[:, [0, 2]], rtol=0, atol=1e-12)
    assert not torch.allclose(after[:, [1, 3]], before[:, [1, 3]])

    line, ends = returns[:, :1], torch.tensor([0, 0, 1, 0, 1, 0], dtype=torch.bool).unsqueeze(-1)
    before = in_a_row(baseline, ends, line)
    line = line.clone()
    line[3] += 1.0
    after = in_a_row(baseline, ends, line)
    torch.testing.assert_close(after[3:5], before[3:5], rtol=0, atol=1e-12)
    assert not torch.allclose(after[:3], before[:3])


def test_the_state_of_a_projection_is_that_of_other_trajectories() -> None:
    """What is taken from environment 0 does not change with what 2 observed, which lies in its fold."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    obs = torch.randn(6, 4, 3, generator=generator, dtype=torch.float64)
    sample, _ = drawn(noise)
    baseline = Projection("linear", components=2, ridge=0.1, folds=2)
    seen = [obs, obs.clone(), obs.clone()]
    seen[1][:, 2] += torch.randn(6, 3, generator=generator, dtype=torch.float64)
    seen[2][:, 1] += torch.randn(6, 3, generator=generator, dtype=torch.float64)
    before, own, other = (
        baseline(dataclasses.replace(sample, obs={"policy": x})).advantage[:, 0] for x in seen
    )
    assert torch.equal(own, before)
    assert not torch.allclose(other, before)


@pytest.mark.parametrize("baseline", [Constant(4), Optimal(4), Projection("quadratic", 2, 0.1, 4)])
@pytest.mark.parametrize("shape", [(1, 1), (5, 1)])
def test_one_trajectory_alone_tells_nothing(baseline: Baseline, shape: tuple[int, int]) -> None:
    done = torch.zeros(shape, dtype=torch.bool)
    assert bool((in_a_row(baseline, done, torch.ones(shape, dtype=torch.float64)) == 0).all())


def test_a_projection_leaves_what_is_orthogonal_to_every_feature() -> None:
    """On the rows that it is fitted to, but for the ridge; coefficients depend on the state."""
    generator = torch.Generator().manual_seed(2)
    shape = (50, 4)
    obs = torch.randn(*shape, 3, generator=generator, dtype=torch.float64) * torch.tensor([1.0, 100.0, 0.0])
    mean = torch.randn(*shape, 2, generator=generator, dtype=torch.float64)
    reference = Gaussian(mean, torch.full_like(mean, -0.3))
    action = reference.sample(generator)
    advantage = torch.randn(shape, generator=generator, dtype=torch.float64)
    sample = BaselineInput(
        obs={"policy": obs},
        action=action,
        reference=reference,
        done=torch.zeros(shape, dtype=torch.bool),
        counts=torch.ones(shape, dtype=torch.bool),
        age=torch.zeros(shape),
        returns=advantage,
        advantage=advantage,
        weight=torch.ones(shape, dtype=torch.float64),
        score_norm=lambda: advantage,
    )
    left = Projection("quadratic", components=3, ridge=1e-13, folds=1)(sample)
    noise = features(action, reference)
    state = torch.cat((torch.ones_like(obs[..., :1]), obs[..., :2] / obs.std((0, 1))[:2]), -1)
    design = (
        torch.cat((torch.ones_like(noise[..., :1]), noise), -1)[..., None] * state[..., None, :]
    ).flatten(2)
    assert float((design * left.advantage.unsqueeze(-1)).mean((0, 1)).abs().max()) < 1e-10
    assert float(left.advantage.var()) < 0.99 * float(advantage.var()), "fifteen features explain something"
    assert left.control.shape == (*shape, 4)


# ---- the term -------------------------------------------------------------------------------------------------------


def test_features_have_the_expectation_that_is_added_back() -> None:
    distribution = Gaussian(torch.tensor([[0.4]]).double(), torch.tensor([[-0.2]]).double())
    reference = Gaussian(torch.tensor([[0.1]]).double(), torch.tensor([[0.3]]).double())
    action = distribution.mean + distribution.std * NODES.unsqueeze(-1)
    found = WEIGHTS @ features(action, reference)
    torch.testing.assert_close(found, expected_features(distribution, reference, 2)[0], rtol=0, atol=1e-12)
    assert bool((expected_features(reference, reference, 2) == 0).all())


def test_a_ratio_with_its_control_is_unbiased_away_from_the_policy_that_acted() -> None:
    """``E_μ[ρ (A − φ)] + E_π[φ] = E_π[A]``, value and gradient, at another π."""
    sample, batch = drawn(torch.from_numpy(np.polynomial.hermite_e.hermegauss(60)[0]).unsqueeze(0))
    weight = torch.from_numpy(np.polynomial.hermite_e.hermegauss(60)[1])
    weight = weight / weight.sum()
    stated, vector = problem(RATIO)
    moved = vector + torch.tensor([-0.05, 0.0, 0.1], dtype=torch.float64)
    noise = features(sample.action, sample.reference)
    control = torch.tensor([0.7, -0.4], dtype=torch.float64).expand_as(noise)
    rows = len(weight)
    # a mean over rows becomes the expectation: each half carries its quadrature weight
    weighed = dataclasses.replace(
        batch,
        advantage=(sample.advantage - (control * noise).sum(-1)) * weight * rows,
        control=control * (weight * rows).unsqueeze(-1),
    )
    flat = pytree.tree_map(lambda x: x.flatten(0, 1), weighed)
    found = -pair(grad(lambda v: stated.loss(v, flat)[0])(moved))
    mean, std = MEAN + 0.1, STD * math.exp(-0.05)
    exact = torch.tensor([-2 * (mean - CENTRE), -2 * std**2], dtype=torch.float64)
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-8)


def test_the_first_components_are_those_that_vary_most() -> None:
    """Two observations are almost the same and one is alone: the first component is what the two share."""
    x, y, tiny = torch.randn(3, 400, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    obs = torch.stack((x, x + 0.1 * tiny, y), -1)
    ones, first = principal_components(obs, 1)(obs).unbind(-1)
    assert bool((ones == 1.0).all())
    assert float(first.var(correction=0)) == pytest.approx(1.0)
    assert abs(float(torch.corrcoef(torch.stack((first, x)))[0, 1])) > 0.99
    assert abs(float(torch.corrcoef(torch.stack((first, y)))[0, 1])) < 0.2


def test_components_of_strange_rows_are_clipped() -> None:
    obs = torch.randn(100, 2, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    state = principal_components(obs, 2)
    assert state(1e6 * obs[:1])[0, 1:].abs().tolist() == [10.0, 10.0]


@pytest.mark.parametrize("rows", [1, 7])
def test_the_ridge_weighs_against_the_mean_of_the_rows(rows: int) -> None:
    """One feature that is always 1: ``(c − C)² + ridge C²`` is least at ``C = c / (1 + ridge)``, for any number."""
    one = torch.ones(rows, 1, dtype=torch.float64)
    found = ridge_regression(one, one, torch.full((rows,), 3.0, dtype=torch.float64), ridge=0.5)
    assert found.tolist() == [[pytest.approx(2.0)]]


def test_a_linear_projection_leaves_the_square_of_the_noise() -> None:
    sample, _ = drawn(torch.randn(400, 2, generator=torch.Generator().manual_seed(7), dtype=torch.float64))
    fit = functools.partial(Projection, components=0, ridge=1e-12, folds=1)
    for projection, width in ((fit("linear"), 1), (fit("quadratic"), 2)):
        left = projection(sample)
        assert left.control.shape[-1] == width
        square = features(sample.action, sample.reference)[..., 1]
        share = torch.corrcoef(torch.stack((left.advantage.flatten(), square.flatten())))[0, 1]
        assert (abs(float(share)) > 0.9) is (projection.polynomial == "linear")


@pytest.mark.parametrize(
    ("name", "mean", "deviation"), [("standardised", 0, 1), ("centred", 0, 4), ("raw", 3, 4)]
)
def test_normalisations_shift_and_scale_as_they_say(name: str, mean: float, deviation: float) -> None:
    advantage = torch.tensor([[7.0, -1.0], [-1.0, 7.0]], dtype=torch.float64)
    normalised, scale = NORMALISATIONS[name](advantage, advantage)
    assert float(normalised.mean()) == pytest.approx(mean)
    assert float(normalised.std(correction=0)) == pytest.approx(deviation)
    assert float(scale) == pytest.approx(4.0 / deviation)
