"""Broken objectives and solvers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from laboratory.sabotage import sabotage
from torch import Tensor
from torch.utils import _pytree as pytree

import pgrobot.laboratory.natural
import pgrobot.objectives.policy_gradient
import pgrobot.solvers.fisher
from pgrobot.critics import Critic
from pgrobot.distributions import Binned, Gaussian
from pgrobot.objectives import Entropy, Ratio
from pgrobot.solvers import (
    SGD,
    Adam,
    CompatibleFisher,
    FirstOrderSolver,
    GaussNewtonFisher,
    LineSearch,
    Solution,
)
from pgrobot.solvers.trust_region import Trial


@sabotage("sample_size")
def a_sum_in_place_of_a_mean(patch: pytest.MonkeyPatch) -> None:
    def total(self: Ratio, policy: Any, batch: Any) -> Any:
        return (policy.here.log_prob(batch.action) * batch.advantage).sum(), {}

    patch.setattr(Ratio, "__call__", total)


@sabotage("minibatches")
def an_entropy_that_is_a_sum(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Entropy, "__call__", lambda self, policy, batch: (policy.here.entropy().sum(), {}))


@sabotage("minibatches", "2 minibatches", "64 minibatches")
def a_pass_without_its_last_minibatch(patch: pytest.MonkeyPatch) -> None:
    original = FirstOrderSolver.solve

    def shortened(self: FirstOrderSolver, batch: Any) -> Any:
        return original(self, pytree.tree_map(lambda x: x[: -self._minibatch], batch))

    patch.setattr(FirstOrderSolver, "solve", shortened)


def doubled(patch: pytest.MonkeyPatch) -> None:
    original = SGD.step

    def step(self: SGD, update: Tensor, *rest: Any) -> Any:
        return original(self, 2.0 * update, *rest)

    patch.setattr(SGD, "step", step)


@sabotage("gradient_bound")
def steps_of_double_length(patch: pytest.MonkeyPatch) -> None:
    doubled(patch)


@sabotage("invariance", "distance of plain gradient steps")
def plain_steps_of_double_length(patch: pytest.MonkeyPatch) -> None:
    doubled(patch)


@sabotage("arms_gradient")
def a_softmax_at_another_temperature(patch: pytest.MonkeyPatch) -> None:
    original = Binned.log_prob
    patch.setattr(Binned, "log_prob", lambda self, action: 0.99 * original(self, action))


@sabotage("bandit_entropy")
def half_of_the_entropy(patch: pytest.MonkeyPatch) -> None:
    original = Entropy.__call__

    def half(self: Entropy, policy: Any, batch: Any) -> Any:
        value, report = original(self, policy, batch)
        return 0.5 * value, report

    patch.setattr(Entropy, "__call__", half)


@sabotage("arms_entropy")
def an_entropy_that_ignores_rare_arms(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Binned, "entropy", lambda self: -self.bins.probs.square().sum((-1, -2)))


@sabotage("clipped_samples")
def clipping_in_the_other_direction(patch: pytest.MonkeyPatch) -> None:
    class Other:
        minimum = staticmethod(torch.maximum)

        def __getattr__(self, name: str) -> Any:
            return getattr(torch, name)

    patch.setattr(pgrobot.objectives.policy_gradient, "torch", Other())


@sabotage("adam_first_step")
def adam_without_its_correction(patch: pytest.MonkeyPatch) -> None:
    def step(self: Adam, update: Tensor, moments: Any, vector: Tensor, rate: Tensor) -> Any:
        first = (1 - self.beta1) * update
        second = (1 - self.beta2) * update.square()
        return rate * first / (second.sqrt() + self.epsilon), moments

    patch.setattr(Adam, "step", step)


@sabotage("fisher")
def a_metric_of_half_its_size(patch: pytest.MonkeyPatch) -> None:
    original = pgrobot.solvers.fisher.gauss_newton

    def half(*arguments: Any) -> Any:
        product = original(*arguments)
        return lambda v: 0.5 * product(v)

    patch.setattr(pgrobot.solvers.fisher, "gauss_newton", half)


@sabotage("conjugate_gradient")
def denominators_with_a_small_number(patch: pytest.MonkeyPatch) -> None:
    def padded(product: Any, target: Tensor, tolerance: float, iterations: int) -> Solution:
        x, residual = torch.zeros_like(target), target
        direction, square = residual, residual @ residual
        for _ in range(iterations):
            image = product(direction)
            length = square / (direction @ image + 1e-6)
            x, residual = x + length * direction, residual - length * image
            last, square = square, residual @ residual
            direction = residual + square / (last + 1e-6) * direction
        return Solution(x, (1.0,), indefinite=False)

    patch.setattr(pgrobot.laboratory.natural, "conjugate_gradient", padded)


def damped(patch: pytest.MonkeyPatch, metric: type) -> None:
    original = metric.__call__

    def shifted(self: Any, *arguments: Any) -> Any:
        product = original(self, *arguments)
        return lambda v: product(v) + 0.1 * v

    patch.setattr(metric, "__call__", shifted)


@sabotage("natural_bandit")
def a_damped_fit(patch: pytest.MonkeyPatch) -> None:
    damped(patch, CompatibleFisher)


@sabotage("compatible")
def another_damped_fit(patch: pytest.MonkeyPatch) -> None:
    damped(patch, CompatibleFisher)


@sabotage("invariance")
def a_damped_metric(patch: pytest.MonkeyPatch) -> None:
    damped(patch, GaussNewtonFisher)


@sabotage("trust_region")
def a_search_that_never_rejects(patch: pytest.MonkeyPatch) -> None:
    def reckless(self: LineSearch, start: Trial, step: Tensor, evaluate: Any, radius: float) -> Any:
        return evaluate(start.vector + step), {"line_search/accepted": torch.tensor(1.0)}

    patch.setattr(LineSearch, "__call__", reckless)


@sabotage("regulator_gradient")
def a_deviation_that_is_not_squared(patch: pytest.MonkeyPatch) -> None:
    original = Gaussian.log_prob

    def wide(self: Gaussian, action: Tensor) -> Tensor:
        return original(Gaussian(self.mean, 0.99 * self.log_std), action)

    patch.setattr(Gaussian, "log_prob", wide)


@sabotage("fitted_value")
def a_critic_that_forgets_its_unit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Critic, "value", lambda self, obs: self(obs, obs["products"][..., :0], obs["products"][..., 0] > 0)[0]
    )


@sabotage("regulator_gradient", "natural gradient of the actions")
def a_fit_with_a_ridge(patch: pytest.MonkeyPatch) -> None:
    damped(patch, CompatibleFisher)


@sabotage("trust_region", "KL of it beyond the radius")
def a_search_that_does_not_measure_the_kl(patch: pytest.MonkeyPatch) -> None:
    original = LineSearch.__call__

    def boundless(self: LineSearch, start: Trial, step: Tensor, evaluate: Any, radius: float) -> Any:
        return original(self, start, step, evaluate, float("inf"))

    patch.setattr(LineSearch, "__call__", boundless)
