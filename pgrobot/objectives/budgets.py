"""Terms that keep a policy to its budgets by themselves, from the advantages of the costs and what is left of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.distributions import Distribution
from pgrobot.objectives.policy_gradient import clipped_surrogate
from pgrobot.objectives.term import FixedWeight, PolicyAt, probability_ratio
from pgrobot.ranges import above, at_least, positive


def predicted_excess(distribution: Distribution, batch: Batch, clip: float) -> Tensor:
    """How far each cost per step would lie above its budget under a policy, to first order: ``[K]``.

    ``E[max(ρ A, clip(ρ, 1 − ε, 1 + ε) A)] − E[A] − slack``. The advantages A of a cost are centred, so that
    over a whole rollout ``E[A]`` is zero; that it is taken from a minibatch as well leaves the expectation as it is
    and makes the excess at the policy that acted that of the rollout exactly, instead of noise as large as A's own.

    Args:
        distribution: of the policy, on the batch's rows.
        batch: the rows.
        clip: ε; infinity is ``E[ρ A]``. The greater of the two makes no row's cost look smaller than it is.
    """
    deviation = probability_ratio(distribution, batch).unsqueeze(-1) - 1.0
    advantage = batch.cost_advantage
    change = torch.maximum(deviation * advantage, deviation.clamp(-clip, clip) * advantage)
    left = batch.slack.flatten(0, -2)[0]  # the same in every row
    means = [batch.mean(column).view(1) for column in change.unbind(-1)]
    return torch.cat([change.new_zeros(0), *means]) - left


@dataclass(frozen=True)
class BudgetPenalty(FixedWeight):
    """P3O's exact penalty, ``−Σ_k [excess_k]₊`` with the weight κ (Zhang et al. 2022, arXiv 2205.11814).

    The excess is ``predicted_excess``: per step of an episode, whatever the budget's unit, as the advantages are. With
    κ at least the greatest multiplier of the constrained optimum that optimum is the penalty's own; with a smaller one
    it lies beyond the budget. κ is in the unit of the advantage per cost: where that is standardised, in deviations.

    See docs/derivations.md#exact-penalty.

    Attributes:
        weight: κ, at least 0; 0: nothing is limited.
        clip: ε of the clipped maximum; infinity: none.
    """

    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = False
    keeps_budgets: ClassVar[bool] = True
    weight: Annotated[float, at_least(0.0)]
    clip: Annotated[float, positive]

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        excess = policy.everywhere(predicted_excess(policy.here, batch, self.clip))
        return -excess.clamp(min=0.0).sum(), _told(excess)


@dataclass(frozen=True)
class InteriorPoint(FixedWeight):
    """IPO: PPO's clipped surrogate and a logarithmic barrier before every budget (Liu et al. 2020, arXiv 1910.09615).

    ``E[min(ρ A, clip(ρ) A)] + Σ_k log(−excess_k) / t`` while every excess, ``predicted_excess``, is below zero. The
    price of a cost is then ``1 / (−t excess)``, and the optimum lies at most ``K / t`` below the constrained one, in
    the unit of the advantage. Elsewhere the barrier is not defined, and all that counts is to come back: the greatest
    excess is descended, the reward forgotten, as CPO's recovery does in a trust region of its own.

    See docs/derivations.md#logarithmic-barrier.

    Attributes:
        weight: of the whole.
        clip: ε, of the surrogate and of the costs.
        sharpness: t.
    """

    reads_advantage: ClassVar[bool] = True
    multiplies_ratio: ClassVar[bool] = True
    keeps_budgets: ClassVar[bool] = True
    weight: float
    clip: Annotated[float, positive]
    sharpness: Annotated[float, above(0.0)]

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        surrogate, metrics = clipped_surrogate(policy.here, batch, self.clip)
        if batch.slack.shape[-1] == 0:
            return surrogate, metrics
        excess = policy.everywhere(predicted_excess(policy.here, batch, self.clip))
        greatest = excess.amax()
        inside = greatest < 0.0
        # both branches are differentiated, so each sees what it is defined for
        margin = torch.where(inside, -excess, 1.0)
        value = torch.where(inside, surrogate + margin.log().sum() / self.sharpness, -greatest)
        return value, metrics | _told(excess) | {"policy/recovery": (~inside).to(value.dtype)}


def _told(excess: Tensor) -> dict[str, Tensor]:
    """The greatest excess; nothing where there is no budget."""
    return {"policy/cost_excess": excess.amax()} if len(excess) else {}
