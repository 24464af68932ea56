"""Every check of the laboratory passes, and is able to fail."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor

import pgrobot.baselines.scalar
import pgrobot.estimators
import pgrobot.laboratory.natural
import pgrobot.objectives.policy_gradient
import pgrobot.solvers.fisher
from pgrobot.baselines import NORMALISATIONS
from pgrobot.distributions import Binned, Gaussian
from pgrobot.laboratory import Outcome, compare
from pgrobot.laboratory.program import build_check, catalogue
from pgrobot.objectives import ControlVariate, Entropy, Ratio
from pgrobot.policies import GaussianPolicy
from pgrobot.solvers import SGD, Adam, CompatibleFisher, GaussNewtonFisher, LineSearch, Solution
from pgrobot.solvers.trust_region import Trial


@cache
def config() -> DictConfig:
    return catalogue()


NAMES = [str(name) for name in catalogue().checks]


@pytest.mark.parametrize("name", NAMES)
def test_check(name: str) -> None:
    outcomes = build_check(config(), name).run()
    assert outcomes
    assert [outcome for outcome in outcomes if not outcome.ok] == []
    assert len({outcome.name for outcome in outcomes}) == len(outcomes), "every number has a name of its own"


def test_every_check_says_what_it_shows() -> None:
    assert list(config().about) == NAMES


@pytest.mark.parametrize("name", ["policy_gradient", "sample_size", "reward_unit"])
def test_a_check_gives_the_same_numbers_every_time(name: str) -> None:
    assert build_check(config(), name).run() == build_check(config(), name).run()


def test_the_entry_farthest_off_is_shown() -> None:
    outcome = compare("x", torch.tensor([1.0, 2.5, 3.0]), np.array([1.0, 2.0, 3.1]), 0.3)
    assert outcome == Outcome("x", 2.5, 2.0, 0.5, 0.3)
    assert not outcome.ok
    assert compare("x", 2.5, 2.0, 0.5).ok
    assert not compare("x", [1.0, float("nan")], [1.0, 1.0], 1e9).ok, "what is not a number fails"  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot be compared"):
        compare("x", torch.zeros(2), torch.zeros(3), 0.1)


def failures(name: str) -> list[str]:
    return [outcome.name for outcome in build_check(config(), name).run() if not outcome.ok]


Break = Callable[[pytest.MonkeyPatch], None]
SABOTAGE: dict[str, tuple[str, Break]] = {}


def sabotage(check: str) -> Callable[[Break], Break]:
    def register(function: Break) -> Break:
        SABOTAGE[function.__name__] = (check, function)
        return function

    return register


def estimator(patch: pytest.MonkeyPatch, name: str, change: Callable[..., dict[str, Any]]) -> None:
    """Put an estimator in the place of one of ours that sees changed arguments."""
    original = getattr(pgrobot.estimators, name)

    def changed(*columns: Tensor, **parameters: Any) -> Any:
        names = ("reward", "value", "next_value", "terminated", "done", "log_ratio")
        arguments = dict(zip(names, columns, strict=True)) | parameters
        return original(**(arguments | change(**arguments)))

    changed.__module__ = original.__module__
    patch.setattr(pgrobot.estimators, name, changed)


@sabotage("policy_gradient")
def rewards_to_go_that_forget_the_last(patch: pytest.MonkeyPatch) -> None:
    def forget(reward: Tensor, **_: Any) -> dict[str, Tensor]:
        return {"reward": torch.cat((reward[:-1], torch.zeros_like(reward[-1:])))}

    estimator(patch, "monte_carlo", forget)


@sabotage("expected_advantage")
def a_time_limit_that_terminates(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "gae", lambda done, **_: {"terminated": done})


@sabotage("actor_critic")
def a_value_beyond_the_end(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "gae", lambda terminated, **_: {"terminated": torch.zeros_like(terminated)})


@sabotage("riccati")
def a_shorter_sight(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "gae", lambda discount, **_: {"discount": 0.9 * discount})


@sabotage("learned_gain")
def a_much_shorter_sight(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "gae", lambda discount, **_: {"discount": 0.3 * discount})


@sabotage("bandit_gradient")
def a_density_without_its_normaliser(patch: pytest.MonkeyPatch) -> None:
    original = Gaussian.log_prob
    patch.setattr(Gaussian, "log_prob", lambda self, action: original(self, action) + self.log_std.sum(-1))


@sabotage("bandit_variance")
def a_baseline_that_is_doubled(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "monte_carlo", lambda value, **_: {"value": 2.0 * value})


@sabotage("state_baseline")
def a_score_that_is_not_centred(patch: pytest.MonkeyPatch) -> None:
    original = Binned.log_prob
    patch.setattr(
        Binned,
        "log_prob",
        lambda self, action: original(self, action) + 1e-6 * action.sum(-1) * self.mean.sum(-1),
    )


@sabotage("cross_fitting")
def folds_that_are_fitted_on_themselves(patch: pytest.MonkeyPatch) -> None:
    original = pgrobot.baselines.scalar.fitted_mean
    patch.setattr(
        pgrobot.baselines.scalar,
        "fitted_mean",
        lambda value, weight, done, count: original(value, weight, done, 1),
    )


@sabotage("control_variates")
def an_expectation_that_is_not_added_back(patch: pytest.MonkeyPatch) -> None:
    def nothing(self: ControlVariate, distribution: Any, batch: Any) -> Any:
        return 0.0 * distribution.mean.mean(), {}

    patch.setattr(ControlVariate, "__call__", nothing)


@sabotage("sample_size")
def a_sum_in_place_of_a_mean(patch: pytest.MonkeyPatch) -> None:
    def total(self: Ratio, distribution: Any, batch: Any) -> Any:
        return (distribution.log_prob(batch.action) * batch.advantage).sum(), {}

    patch.setattr(Ratio, "__call__", total)


@sabotage("minibatches")
def an_entropy_that_is_a_sum(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Entropy, "__call__", lambda self, distribution, batch: (distribution.entropy().sum(), {}))


@sabotage("gradient_bound")
def steps_of_double_length(patch: pytest.MonkeyPatch) -> None:
    original = SGD.step

    def step(self: SGD, vector: Tensor, moments: Any, gradient: Tensor, rate: Tensor) -> Any:
        return original(self, vector, moments, 2.0 * gradient, rate)

    patch.setattr(SGD, "step", step)


@sabotage("reward_unit")
def advantages_as_they_are(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(NORMALISATIONS, "standardised", NORMALISATIONS["centred"])


@sabotage("identities")
def a_weight_that_grows_from_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Entropy, "adapt", lambda self, weight, kl: weight + 0.01)


@sabotage("arms_gradient")
def a_softmax_at_another_temperature(patch: pytest.MonkeyPatch) -> None:
    original = Binned.log_prob
    patch.setattr(Binned, "log_prob", lambda self, action: 0.99 * original(self, action))


@sabotage("bandit_entropy")
def half_of_the_entropy(patch: pytest.MonkeyPatch) -> None:
    original = Entropy.__call__

    def half(self: Entropy, distribution: Any, batch: Any) -> Any:
        value, report = original(self, distribution, batch)
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
    def step(self: Adam, vector: Tensor, moments: Any, gradient: Tensor, rate: Tensor) -> Any:
        first = (1 - self.beta1) * gradient
        second = (1 - self.beta2) * gradient.square()
        return vector - rate * first / (second.sqrt() + self.epsilon), moments

    patch.setattr(Adam, "step", step)


@sabotage("first_ratio")
def a_normaliser_that_moves_while_it_acts(patch: pytest.MonkeyPatch) -> None:
    original = GaussianPolicy.forward

    def moving(self: GaussianPolicy, obs: Any, carry: Tensor, start: Tensor) -> Any:
        if obs["policy"].dim() == 2 and len(obs["policy"]) == 8:  # one step of the collector
            self.normalizer.merge(obs["policy"])
        return original(self, obs, carry, start)

    patch.setattr(GaussianPolicy, "forward", moving)


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


def test_every_check_is_put_to_the_test() -> None:
    assert sorted(check for check, _ in SABOTAGE.values()) == sorted(NAMES)


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_broken_formula_fails_its_check(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check, function = SABOTAGE[name]
    function(monkeypatch)
    assert failures(check), f"{check} does not notice {name.replace('_', ' ')}"
