"""What training itself spent: budgets are kept by the policy that is handed over, and until then somebody pays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pgrobot.constraints import Constraint
from pgrobot.diagnostics.episodes import episode_sums
from pgrobot.types import Metrics, Rollout, State

NAMES = ("cost", "violations", "worst", "regret")


class Accounting:
    """Four figures of every budget over all of training so far, each a metric ``training/<constraint>/<figure>``.

    Of all steps: ``cost``, what they cost together, and ``violations``, how many of 1,000 cost anything. Of the whole
    episodes: ``worst``, the most that one spent in the budget's unit, absent until one has ended; and ``regret``,

        R = Σ_i [Σ_{e ∈ E_i} (x_e − d w_e)]₊

    with ``E_i`` the episodes that ended in iteration ``i``, amounts ``x`` and weights ``w`` as a verdict has them (of
    ``step`` the sum and the length, else 1) and ``d`` the budget. Within an iteration, which one policy acts in,
    episodes make up for each other, for a budget limits their mean; one iteration does not make up for another. A
    budget that tightens is counted from its last value. A ``probability`` counts episodes that exceed their limit, once
    each.

    An episode that is censored, because it was cut or a simulation broke, is not whole and has no part in the last two;
    amounts that are no number have none in any. With several learners, each one's names begin with ``<learner>/``.

    See docs/derivations.md#what-training-spends.

    Args:
        constraints: the budgets, ``K``.
        gamma: the discount of ``discounted``.
    """

    def __init__(self, constraints: Sequence[Constraint], gamma: float) -> None:
        self._constraints = tuple(constraints)
        self._gamma = gamma
        # learner -> sums of the running episodes, [N, K + 1]; the last is steps
        self._running: dict[str, Tensor] = {}
        # learner -> steps, and [4, K]: cost, steps that cost anything, worst episode, regret
        self._steps: dict[str, int] = {}
        self._totals: dict[str, Tensor] = {}

    def __call__(
        self, iteration: int, learners: Mapping[str, Any], experience: Mapping[str, Rollout]
    ) -> Metrics:
        metrics: Metrics = {}
        for name, rollout in experience.items():
            if not rollout.by_step.telemetry:  # demonstrations, which training did not pay for
                continue
            self._look(name, rollout.by_step)
            prefix = f"{name}/" if len(learners) > 1 else ""
            for constraint, figures in self._told(name).items():
                metrics |= {f"{prefix}training/{constraint}/{key}": value for key, value in figures.items()}
        return metrics

    def told(self) -> dict[str, Any]:
        """The figures by constraint, as ``result.json`` has them; with several learners by learner before."""
        by_learner = {name: self._told(name) for name in self._totals}
        return next(iter(by_learner.values())) if len(by_learner) == 1 else dict(by_learner)

    def state_dict(self) -> State:
        """All sums, and those of the running episodes."""
        return {
            "running": {name: sums.clone() for name, sums in self._running.items()},
            "steps": dict(self._steps),
            "totals": {name: totals.clone() for name, totals in self._totals.items()},
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``."""
        self._running = {name: sums.clone() for name, sums in state["running"].items()}
        self._steps = dict(state["steps"])
        self._totals = {name: totals.clone() for name, totals in state["totals"].items()}

    def _told(self, learner: str) -> dict[str, dict[str, float]]:
        cost, paying, worst, regret = self._totals[learner].tolist()
        per_thousand = 1000.0 / max(1, self._steps[learner])
        return {
            constraint.name: {
                key: value
                for key, value in zip(
                    NAMES, (cost[k], paying[k] * per_thousand, worst[k], regret[k]), strict=True
                )
                if math.isfinite(value)
            }
            for k, constraint in enumerate(self._constraints)
        }

    def _look(self, learner: str, rollout: Rollout) -> None:
        columns = [rollout.columns.index(f"cost/{c.name}") for c in self._constraints]
        cost = rollout.reward[..., columns].double()  # [T, N, K]
        counts = rollout.weight > 0.0
        known = torch.where(counts.unsqueeze(-1) & cost.isfinite(), cost, 0.0)
        totals = self._totals.get(learner)
        if totals is None:
            totals = torch.zeros(4, len(columns), dtype=torch.float64)
            totals[2] = -math.inf
        amount, steps = self._ended(learner, rollout, cost)
        weight = torch.stack(
            [steps if c.unit == "step" else torch.ones_like(steps) for c in self._constraints], -1
        )  # [E, K]
        whole = amount.isfinite()
        budget = amount.new_tensor([c.budget for c in self._constraints])
        above = torch.where(whole, amount - budget * weight, 0.0).sum(0)
        each = torch.where(whole, amount / weight, -math.inf)
        worst = torch.cat((totals[2].unsqueeze(0), each)).amax(0)
        self._steps[learner] = self._steps.get(learner, 0) + int(counts.sum())
        self._totals[learner] = torch.stack(
            (
                totals[0] + known.sum((0, 1)),
                totals[1] + (known > 0.0).sum((0, 1)),
                worst,
                totals[3] + above.clamp(min=0.0),
            )
        )

    def _ended(self, learner: str, rollout: Rollout, cost: Tensor) -> tuple[Tensor, Tensor]:
        """What the whole episodes that ended spent in the units of the budgets ``[E, K]``, and their steps ``[E]``."""
        fade = self._gamma ** rollout.age.double().unsqueeze(-1)
        paid = [
            fade[..., 0] * cost[..., k] if c.unit == "discounted" else cost[..., k]
            for k, c in enumerate(self._constraints)
        ]
        amounts = torch.stack((*paid, torch.ones_like(fade[..., 0])), -1)
        running = self._running.get(learner, torch.zeros_like(amounts[0]))
        # An episode that begins with the rollout has no past: the one before it was cut between two rollouts.
        running = running.masked_fill(rollout.episode_start[0].unsqueeze(-1), 0.0)
        ended, self._running[learner] = episode_sums(amounts, rollout.done, running)
        ended = ended[~rollout.censored.T[rollout.done.T]]
        return ended[:, :-1], ended[:, -1]
