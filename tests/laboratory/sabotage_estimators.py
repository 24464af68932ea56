"""Broken estimators, densities and baselines."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from laboratory.sabotage import estimator, sabotage
from torch import Tensor

import pgrobot.baselines.projection
import pgrobot.baselines.scalar
import pgrobot.estimators
from pgrobot.distributions import Binned, Gaussian
from pgrobot.estimators import EstimatorInput
from pgrobot.objectives import ControlVariate


@sabotage("policy_gradient")
def rewards_to_go_that_forget_the_last(patch: pytest.MonkeyPatch) -> None:
    def forget(reward: Tensor, **_: Any) -> dict[str, Tensor]:
        return {"reward": torch.cat((reward[:-1], torch.zeros_like(reward[-1:])))}

    estimator(patch, "monte_carlo", forget)


@sabotage("definitions", "advantage, gae", "target, gae")
def traces_that_cross_the_end_of_an_episode(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "gae", lambda done, **_: {"done": torch.zeros_like(done)})


@sabotage("definitions", "advantage, vtrace", "target, vtrace")
def another_bar_of_the_traces(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "vtrace", lambda **_: {"c_bar": 0.8})


@sabotage("definitions", "advantage, two steps", "target, two steps")
def a_window_of_three(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "n_step", lambda **_: {"n": 3})


@sabotage("divergence", "value, fixed, 0.1", "gradient, adaptive, -0.4")
def a_divergence_the_other_way_round(patch: pytest.MonkeyPatch) -> None:
    original = Gaussian.kl
    patch.setattr(Gaussian, "kl", lambda self, other: original(other, self))


@sabotage("expected_advantage")
def a_time_limit_that_terminates(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "gae", lambda done, **_: {"terminated": done})


@sabotage("actor_critic")
def a_value_beyond_the_end(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "gae", lambda terminated, **_: {"terminated": torch.zeros_like(terminated)})


@sabotage("actor_critic", "ratio, two steps")
def a_window_that_lands_a_step_late(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "n_step", lambda next_value, **_: {"next_value": next_value.roll(-1, 0)})


@sabotage("any_critic", "two steps, advantage", "two steps, target", "two steps, gradient")
def a_window_of_one_step(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "n_step", lambda **_: {"n": 1})


@sabotage("any_critic", "gae λ=0.6, advantage", "gae λ=0.6, target", "gae λ=0.6, gradient")
def a_trace_without_its_lambda(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "gae", lambda **_: {"lam": 1.0})


@sabotage("any_critic", "td λ=0.6, target")
def a_target_with_the_lambda_of_the_advantage(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "td_lambda", lambda lam, **_: {"target_lam": lam})


@sabotage("fitted_returns", "td λ=0.6, P", "td λ=0.6, value")
def a_target_that_looks_one_step_ahead(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "td_lambda", lambda **_: {"target_lam": 0.0})


@sabotage("identities", "V-trace of one's own")
def a_trace_of_another_length(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "vtrace", lambda lam, **_: {"lam": 0.9 * lam})


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
        lambda value, weight, done, counts, count: original(value, weight, done, counts, 1),
    )


@sabotage("cross_fitting", "linear", "bias of a control whose advantage alone is divided, ∂μ")
def half_of_an_expectation_that_is_added_back(patch: pytest.MonkeyPatch) -> None:
    original = ControlVariate.__call__

    def half(self: ControlVariate, policy: Any, batch: Any) -> Any:
        value, metrics = original(self, policy, batch)
        return 0.5 * value, metrics

    patch.setattr(ControlVariate, "__call__", half)


@sabotage("control_variates")
def an_expectation_that_is_not_added_back(patch: pytest.MonkeyPatch) -> None:
    def nothing(self: ControlVariate, policy: Any, batch: Any) -> Any:
        return 0.0 * policy.here.mean.mean(), {}

    patch.setattr(ControlVariate, "__call__", nothing)


@sabotage("out_of_sample")
def a_control_of_three_times_its_size(patch: pytest.MonkeyPatch) -> None:
    original = pgrobot.baselines.projection.ridge_regression
    patch.setattr(pgrobot.baselines.projection, "ridge_regression", lambda *a: 3.0 * original(*a))


@sabotage("expected_advantage", "td λ")
def a_target_that_is_an_advantage(patch: pytest.MonkeyPatch) -> None:
    original = pgrobot.estimators.td_lambda

    def without_value(given: EstimatorInput, **parameters: Any) -> Any:
        estimate = original(given, **parameters)
        return estimate._replace(target=estimate.target - given.value)

    without_value.__module__ = original.__module__
    patch.setattr(pgrobot.estimators, "td_lambda", without_value)


@sabotage("vtrace", "λ=0.6 ρ̄=0.8 c̄=1, fixed point", "λ=0.6 ρ̄=0.8 c̄=1, target")
def errors_that_are_not_clipped(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "vtrace", lambda **_: {"rho_bar": math.inf})


@sabotage("vtrace", "λ=1 ρ̄=1 c̄=0.7, target", "λ=1 ρ̄=1 c̄=0.7, advantage")
def traces_that_are_not_clipped(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "vtrace", lambda **_: {"c_bar": math.inf})


@sabotage("vtrace", "λ=0.6 ρ̄=inf c̄=inf, fixed point")
def experience_that_is_taken_for_its_own(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "vtrace", lambda log_ratio, **_: {"log_ratio": torch.zeros_like(log_ratio)})


@sabotage("stale_gradient", "likelihood", "ratio", "clipped ratio")
def weights_that_are_squared_or_missing(patch: pytest.MonkeyPatch) -> None:
    estimator(
        patch, "vtrace", lambda objective_has_ratio, **_: {"objective_has_ratio": not objective_has_ratio}
    )


@sabotage(
    "stale_gradient", *(f"{name}, weights up to 0.9" for name in ("likelihood", "ratio", "clipped ratio"))
)
def weights_without_a_bound(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "vtrace", lambda **_: {"pg_rho_bar": math.inf})


@sabotage("finite_regulator")
def actions_that_are_not_credited_with_the_last_reward(patch: pytest.MonkeyPatch) -> None:
    def forget(reward: Tensor, **_: Any) -> dict[str, Tensor]:
        return {"reward": torch.cat((reward[:-1], torch.zeros_like(reward[-1:])))}

    estimator(patch, "monte_carlo", forget)


@sabotage("fitted_value")
def a_target_without_a_future(patch: pytest.MonkeyPatch) -> None:
    estimator(patch, "gae", lambda terminated, **_: {"terminated": torch.ones_like(terminated)})
