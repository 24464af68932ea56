"""Broken parts that whole runs are put together from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from laboratory.sabotage import sabotage
from torch import Tensor

from pgrobot.baselines import NORMALISATIONS
from pgrobot.batch import Batch
from pgrobot.constraints.price import Pricing
from pgrobot.objectives import Entropy, Likelihood, PolicyAt
from pgrobot.policies import NetworkPolicy
from pgrobot.solvers import LineSearch
from pgrobot.solvers.trust_region import Trial


@sabotage("reward_unit")
def advantages_as_they_are(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(NORMALISATIONS, "standardised", NORMALISATIONS["centred"])


@sabotage("identities", "no entropy bonus")
def a_weight_that_grows_from_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Entropy, "adapt", lambda self, weight, kl: weight + 0.01)


@sabotage("first_ratio")
def a_normaliser_that_moves_while_it_acts(patch: pytest.MonkeyPatch) -> None:
    original = NetworkPolicy.forward

    def moving(self: NetworkPolicy, obs: Any, carry: Tensor, start: Tensor) -> Any:
        if obs["policy"].dim() == 2 and len(obs["policy"]) == 8:  # one step of the collector
            self.normalizer.merge(obs["policy"])
        return original(self, obs, carry, start)

    patch.setattr(NetworkPolicy, "forward", moving)


@sabotage("reward_unit", "parameters, rewards × 2^")
def a_deviation_that_is_never_small(patch: pytest.MonkeyPatch) -> None:
    def padded(advantage: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
        scale = advantage.std(correction=0) + 1e-3
        return (advantage - advantage.mean()) / scale, scale

    patch.setitem(NORMALISATIONS, "standardised", padded)


@sabotage("identities", "a search that takes the whole step")
def a_search_that_begins_with_a_shorter_step(patch: pytest.MonkeyPatch) -> None:
    original = LineSearch.__call__

    def shorter(self: LineSearch, start: Trial, step: Tensor, evaluate: Any, radius: float) -> Any:
        return original(self, start, self.shrink * step, evaluate, radius)

    patch.setattr(LineSearch, "__call__", shorter)


@sabotage("identities", "PPO in one step")
def a_likelihood_that_takes_good_for_bad(patch: pytest.MonkeyPatch) -> None:
    original = Likelihood.__call__

    def unsigned(self: Likelihood, policy: PolicyAt, batch: Batch) -> Any:
        return original(self, policy, replace(batch, advantage=batch.advantage.abs()))

    patch.setattr(Likelihood, "__call__", unsigned)


@sabotage("reward_unit", "price, rewards × 2^")
def a_price_in_reward_that_moves_by_itself(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pricing, "scale", 1.0)
