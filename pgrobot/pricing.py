"""Pricing: every budget measured on a rollout, and the multiplier moved on what is above it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pgrobot.constraints import Constraint, Unvaried, measure
from pgrobot.errors import PgrobotError
from pgrobot.reduce import Reduce
from pgrobot.types import Metrics, Multiplier, Rollout


class Budgets:
    """The budgets of a learner.

    Args:
        constraints: in the order of the cost columns, which follow the reward's.
        multiplier: prices them.
        discount: γ of the costs.
        max_episode_steps: the time limit.
        reduce: gathers what several processes collected.

    Attributes:
        slack: what the rollout priced last left of each budget per step of an episode, ``[K]``; negative where it is
            exceeded. Always the same tensor.
        worth: what a unit of each cost counts in it, ``[K]``: 1, or of a ``probability`` the steps of an episode, as
            one that exceeds its limit counts like one that costs 1 in each of them. Always the same tensor, too.
    """

    def __init__(
        self,
        constraints: Sequence[Constraint],
        multiplier: Multiplier,
        discount: float,
        max_episode_steps: int,
        reduce: Reduce,
    ) -> None:
        self.slack = torch.zeros(len(constraints))
        self.worth = torch.ones(len(constraints))
        self._once = torch.tensor([c.unit == "probability" for c in constraints], dtype=torch.bool)
        self._constraints = tuple(constraints)
        self._multiplier = multiplier
        self._discount = discount
        self._max_episode_steps = max_episode_steps
        self._gather = reduce.gather
        self._unvaried = Unvaried(constraints)

    @property
    def left(self) -> tuple[Tensor, Tensor]:
        """``slack`` and ``worth``."""
        return self.slack, self.worth

    def price(self, rollout: Rollout, progress: float = 1.0) -> Metrics:
        """Measure every budget on the steps of this rollout and let the multiplier move on the excess.

        Args:
            rollout: of the policy as it is.
            progress: the share of the annealing steps that is done, by which budgets with a schedule are tightened.

        Raises:
            PgrobotError: there are budgets, and a step of the rollout lasts longer than one of the environment.
        """
        rollout = rollout.by_step
        if self._constraints and not bool((rollout.duration == 1.0).all()):
            raise PgrobotError(
                "A budget is measured step by step, and a step of this rollout lasts several steps"
            )
        gather, count = self._gather, len(self._constraints)
        cost = gather(rollout.reward[..., 1 : 1 + count])
        unknown = gather(rollout.censored | (rollout.weight == 0.0))
        self._unvaried.watch(cost, ~unknown)
        measured = measure(
            cost,
            gather(rollout.done),
            unknown,
            gather(rollout.age),
            gather(rollout.paid),
            self._constraints,
            self._discount,
            self._max_episode_steps,
        )
        budgets = [constraint.at(progress) for constraint in self._constraints]
        excess = (measured.cost - torch.tensor(budgets, dtype=torch.float64)) / measured.steps
        self.worth[self._once] = measured.length
        self.slack.copy_(-excess * self.worth)
        earned, counts = gather(rollout.reward), gather(rollout.weight) > 0.0
        paid = earned if bool(counts.all()) else earned[counts]
        metrics = self._multiplier.update(excess, measured.length, paid)
        for constraint, budget, value in zip(self._constraints, budgets, measured.cost.tolist(), strict=True):
            metrics[f"cost/{constraint.name}/mean"] = value
            metrics[f"cost/{constraint.name}/budget"] = budget
        return metrics
