"""What keeps to budgets, broken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from laboratory.sabotage import sabotage
from torch import Tensor

import pgrobot.objectives.budgets
import pgrobot.solvers.constrained
import pgrobot.solvers.enforcement
from pgrobot.constraints import AugmentedLagrangian
from pgrobot.constraints.price import Pricing
from pgrobot.objectives import BudgetPenalty, GatedRatio, ReverseKLPenalty
from pgrobot.solvers import UpdateThenProjection


@sabotage("shadow_price", "price, augmented")
def a_multiplier_that_takes_over_nothing(patch: pytest.MonkeyPatch) -> None:
    original = AugmentedLagrangian.update

    def forgetting(self: AugmentedLagrangian, *given: Any) -> Any:
        told = original(self, *given)
        self._held = 0.0 * self._held
        return told

    patch.setattr(AugmentedLagrangian, "update", forgetting)


@sabotage("shadow_price", "mean, lagrangian", "mean, pid", "mean, augmented and held")
def a_budget_with_a_margin(patch: pytest.MonkeyPatch) -> None:
    original = Pricing.rate
    patch.setattr(Pricing, "rate", lambda self, excess, *rest: original(self, excess + 0.05, *rest))


@sabotage("exact_penalty", "policy, κ = 2 λ*")
def a_penalty_that_pays_for_what_is_left(patch: pytest.MonkeyPatch) -> None:
    def plain(self: BudgetPenalty, policy: Any, batch: Any) -> Any:
        excess = pgrobot.objectives.budgets.predicted_excess(policy.here, batch, self.clip)
        return -excess.sum(), {}

    patch.setattr(BudgetPenalty, "__call__", plain)


@sabotage("log_barrier", "policy, t = 10, inside", "policy, t = 10, outside")
def a_slack_that_is_half(patch: pytest.MonkeyPatch) -> None:
    original = pgrobot.objectives.budgets.predicted_excess

    def narrow(distribution: Any, batch: Any, clip: float) -> Tensor:
        return original(distribution, replace(batch, slack=0.5 * batch.slack), clip)

    patch.setattr(pgrobot.objectives.budgets, "predicted_excess", narrow)


@sabotage("policy_space", "policy, ν = 0.7")
def a_distance_the_other_way_round(patch: pytest.MonkeyPatch) -> None:
    def gated(self: GatedRatio, policy: Any, batch: Any) -> Any:
        ratio = (policy.here.log_prob(batch.action) - batch.log_prob).exp()
        return batch.mean(ratio * batch.advantage - self.temperature * batch.reference.kl(policy.here)), {}

    patch.setattr(GatedRatio, "__call__", gated)


@sabotage("two_steps", "policy")
def a_projection_from_where_the_update_began(patch: pytest.MonkeyPatch) -> None:
    original = UpdateThenProjection.solve

    def solve(self: UpdateThenProjection, batch: Any) -> Any:
        begun = batch.reference

        def away(term: ReverseKLPenalty, policy: Any, seen: Any) -> Any:
            return -seen.mean(policy.here.kl(begun)), {}

        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(ReverseKLPenalty, "__call__", away)
            return original(self, batch)

    patch.setattr(UpdateThenProjection, "solve", solve)


@sabotage("budgeted_step", "bound: what no price explains", "restoring: what no price explains")
def a_gain_that_limits_do_not_turn(patch: pytest.MonkeyPatch) -> None:
    original = pgrobot.solvers.enforcement.furthest
    patch.setattr(
        pgrobot.solvers.enforcement, "furthest", lambda gain, *rest: original(gain + gain.sum(), *rest)
    )


@sabotage("budgeted_step", "recovery: what no price explains")
def a_recovery_of_half_of_the_excess(patch: pytest.MonkeyPatch) -> None:
    original = pgrobot.solvers.enforcement.least_excess
    patch.setattr(
        pgrobot.solvers.enforcement,
        "least_excess",
        lambda rows, room, radius: original(rows, 0.5 * room, radius),
    )


@sabotage("budgeted_bandit", "mean, cpo from 0", "mean, pcpo by l2 from 0")
def a_budget_of_an_episode_beside_the_cost_of_a_step(patch: pytest.MonkeyPatch) -> None:
    original = pgrobot.solvers.constrained._limits

    def limits(*given: Any) -> Any:
        found = original(*given)
        return replace(found, slack=1000.0 * found.slack)

    patch.setattr(pgrobot.solvers.constrained, "_limits", limits)
