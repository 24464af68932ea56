"""First-order update rules against torch's own over many steps, and against closed forms; the parameter average."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pgrobot.solvers import SGD, Adam, ExponentialAverage, RMSprop, Transform

RATE = torch.tensor(0.01, dtype=torch.float64)


def vectors(count: int, size: int = 7) -> Tensor:
    """Vectors whose entries lie decades apart."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.logspace(-3, 2, size, dtype=torch.float64)
    return torch.randn(count, size, generator=generator, dtype=torch.float64) * scale


PEERS = [
    (Adam(0.9, 0.999, 1e-5), torch.optim.Adam, {"betas": (0.9, 0.999), "eps": 1e-5}),
    (RMSprop(0.99, 1e-5, "outside", 0.0), torch.optim.RMSprop, {"alpha": 0.99, "eps": 1e-5}),
    (RMSprop(0.9, 1e-8, "outside", 0.0), torch.optim.RMSprop, {"alpha": 0.9, "eps": 1e-8}),
    (SGD(0.0), torch.optim.SGD, {}),
    (SGD(0.9), torch.optim.SGD, {"momentum": 0.9}),
]


@pytest.mark.parametrize(("ours", "peer", "options"), PEERS)
def test_a_thousand_steps_equal_torchs(ours: Transform, peer: Any, options: dict[str, Any]) -> None:
    point = vectors(1)[0]
    theirs = nn.Parameter(point.clone())
    optimizer = peer([theirs], lr=0.01, **options)
    moments = ours.initial(point)
    for noise in vectors(1000):
        gradient = noise + 0.5 * point
        step, moments = ours.step(gradient, moments, point, RATE)
        point = point - step
        theirs.grad = gradient
        optimizer.step()
    torch.testing.assert_close(point, theirs.detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("place", ["outside", "inside"])
@pytest.mark.parametrize("initial", [0.0, 1.0])
def test_rmsprop_on_a_constant_gradient(place: Any, initial: float) -> None:
    """v after n steps is αⁿ v₀ + (1 − αⁿ) g²; epsilon joins it before the root or after."""
    decay, epsilon = 0.9, 0.3
    rule = RMSprop(decay, epsilon, place, initial)
    gradient = torch.tensor([2.0, -0.1, 0.0], dtype=torch.float64)
    point = torch.zeros(3, dtype=torch.float64)
    moments = rule.initial(point)
    for n in range(1, 40):
        step, moments = rule.step(gradient, moments, point, RATE)
        square = decay**n * initial + (1.0 - decay**n) * gradient**2
        root = (square + epsilon) ** 0.5 if place == "inside" else square**0.5 + epsilon
        torch.testing.assert_close(step, RATE * gradient / root, rtol=1e-10, atol=1e-14)
        point = point - step


def test_without_momentum_the_velocity_is_the_gradient() -> None:
    point, gradient = vectors(2)
    rule = SGD(0.0)
    _, moments = rule.step(vectors(3)[2], rule.initial(point), point, RATE)
    assert torch.equal(rule.step(gradient, moments, point, RATE)[0], RATE * gradient)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_adams_first_step_is_the_sign_of_the_gradient_as_epsilon_vanishes(scale: float) -> None:
    gradient = scale * vectors(1)[0]
    zero = torch.zeros_like(gradient)
    distances = []
    for epsilon in (1e-4, 1e-8, 1e-12, 0.0):
        rule = Adam(0.9, 0.999, scale * epsilon)
        step, _ = rule.step(gradient, rule.initial(zero), zero, RATE)
        distances.append(float((step - RATE * gradient.sign()).abs().max()))
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 1e-15


@pytest.mark.parametrize("rule", [Adam(0.9, 0.999, 0.0), RMSprop(0.99, 0.0, "inside", 0.0)])
def test_the_unit_of_the_loss_does_not_matter(rule: Transform) -> None:
    ends = []
    for unit in (1e-3, 1.0, 1e3):
        point = vectors(1)[0]
        moments = rule.initial(point)
        for gradient in vectors(50):
            step, moments = rule.step(unit * gradient, moments, point, RATE)
            point = point - step
        ends.append(point)
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(ends[2], ends[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rule", [Adam(0.9, 0.999, 1e-8), RMSprop(0.99, 1e-8, "outside", 1.0), SGD(0.9)])
def test_what_is_remembered_keeps_its_shape_and_type(rule: Transform) -> None:
    for dtype in (torch.float32, torch.float64):
        point = torch.ones(3, dtype=dtype)
        before = rule.initial(point)
        step, moments = rule.step(point, before, point, torch.tensor(0.1, dtype=dtype))
        assert step.dtype == dtype
        assert [(m.shape, m.dtype) for m in moments] == [(m.shape, m.dtype) for m in before]
        assert all(m.dtype == dtype for m in moments)


def test_the_average_weights_the_past_geometrically() -> None:
    """Weight βᵏ / Σβʲ on the vector of k steps ago, and none on what stood there before the first."""
    path = vectors(30)
    rule = ExponentialAverage(0.8)
    averaged = rule.initial(torch.full_like(path[0], 1e6))
    for vector in path:
        averaged = rule.step(averaged, vector)
    weights = 0.8 ** torch.arange(29, -1, -1, dtype=torch.float64)
    torch.testing.assert_close(averaged[0], weights @ path / weights.sum(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(averaged[1], weights.sum(), rtol=1e-12, atol=0.0)


def test_the_average_without_a_past_is_the_vector_itself() -> None:
    rule = ExponentialAverage(0.0)
    averaged = rule.initial(vectors(1)[0].float())
    for vector in vectors(10).float():
        averaged = rule.step(averaged, vector)
        assert torch.equal(averaged[0], vector)


def test_the_average_of_what_stands_still_is_it_and_shares_no_memory() -> None:
    vector = vectors(1)[0]
    rule = ExponentialAverage(0.99)
    averaged = rule.initial(vector)
    assert averaged[0].data_ptr() != vector.data_ptr()
    for _ in range(10):
        averaged = rule.step(averaged, vector)
        assert torch.equal(averaged[0], vector)
