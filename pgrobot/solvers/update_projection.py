"""An improvement and a projection towards the budgets, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.errors import PgrobotError
from pgrobot.objectives import Objective
from pgrobot.ranges import Built, Called, Keys, MappingOf, at_least, between, fading
from pgrobot.solvers.problem import PolicyProblem, Report
from pgrobot.solvers.solver import SolverFactory
from pgrobot.types import State


class UpdateThenProjection:
    """CUP's two steps (Yang et al. 2022, arXiv 2209.07089): one for the reward, and one that pays for the budgets.

    The improvement solves the problem, whose advantage holds no cost. The projection solves another one about the same
    policy, and begins where the improvement ended: its reference is the policy there, ``π'``, and its advantage minus
    what the costs are worth, ``−(1 − γλ)/(1 − γ) Σ_k ν_k A_k``. With the terms ``Ratio`` and ``ReverseKLPenalty`` that
    is the paper's ``min KL(π ‖ π') + ν (1 − γλ)/(1 − γ) E[ρ A]``. Before an update's first solution each ν takes one
    projected step on what its budget was exceeded by; where all are zero nothing is projected, and nothing moves.

    See docs/derivations.md#update-and-projection.

    Args:
        vector: the parameters ``[P]``, moved in place.
        problem: whose objective is improved.
        improvement: makes the solver of the first problem.
        projection: makes the solver of the second one.
        objective: the second problem's terms by name, at weights that stay what they are.
        discount: γ of the costs, below 1.
        lam: λ of the estimator of their advantages.
        learning_rate: what ν gains per update while every step costs 1 too much.
        initial: ν at first, in nats per cost.
        maximum: the greatest ν.
        generator: random stream of both solvers.

    Raises:
        PgrobotError: ν begins above its maximum.
    """

    needs_policy: ClassVar[bool] = True
    reads_reference: ClassVar[bool] = False
    kl_before_step: ClassVar[bool] = False
    keeps_budgets: ClassVar[bool] = True
    solves: ClassVar[str] = "improvement"

    def __init__(
        self,
        vector: Tensor,
        problem: PolicyProblem,
        improvement: Annotated[SolverFactory, Called("rate", SolverFactory)],
        projection: Annotated[SolverFactory, Called("rate", SolverFactory)],
        objective: Annotated[Mapping[str, Objective], MappingOf(Keys("cost"), Built("weight"))],
        discount: Annotated[float, fading],
        lam: Annotated[float, between(0.0, 1.0)],
        learning_rate: Annotated[float, at_least(0.0)],
        initial: Annotated[float, at_least(0.0)],
        maximum: Annotated[float, at_least(0.0)],
        generator: torch.Generator,
    ) -> None:
        if initial > maximum:
            raise PgrobotError(f"algorithm.policy_solver.initial={initial} exceeds its maximum={maximum}")
        self._vector = vector
        self._problem = problem
        self._improvement = improvement(vector=vector, problem=problem, generator=generator)
        projected = problem.with_terms(objective)
        self._projection = projection(vector=vector, problem=projected, generator=generator)
        self._worth = (1.0 - discount * lam) / (1.0 - discount)
        self._learning_rate = learning_rate
        self._initial = initial
        self._maximum = maximum
        self._price: Tensor | None = None  # ν [K], float64
        self._due = True  # whether ν has yet to follow this update's rollout

    def anneal(self, progress: float) -> None:
        """Set what follows a schedule, and let ν follow the rollout that comes next."""
        self._improvement.anneal(progress)
        self._projection.anneal(progress)
        self._due = True

    @torch.no_grad()
    def solve(self, batch: Batch) -> tuple[Report, bool]:
        """Improve and project on the batch, whose rows are ``[B]``.

        Returns:
            Metrics of the improvement, with the KL of the whole way, and of the projection; whether the iteration
            should stop here, as the improvement says.
        """
        price = self._priced(batch.slack.flatten(0, -2)[0])
        report, stop = self._improvement.solve(batch)
        told = {"projection/kl": torch.zeros(()), "projection/loss": torch.zeros(())}
        if bool((price > 0.0).any()):
            worth = (self._worth * price).to(batch.cost_advantage)
            # of a copy: a distribution may hold views of the parameters, which go on moving
            half = self._problem.distribution(self._vector.clone(), batch)
            cost = batch.cost_advantage @ worth
            projected, _ = self._projection.solve(replace(batch, advantage=-cost, reference=half))
            told = {"projection/kl": projected["policy/kl"], "projection/loss": projected["loss/policy"]}
            report = report | {"policy/kl": self._problem.reduce.mean(self._problem.kl(self._vector, batch))}
        names = zip(self._problem.constraints, price, strict=False)  # some problems have none
        return report | told | {f"projection/price/{name}": nu for name, nu in names}, stop

    def _priced(self, slack: Tensor) -> Tensor:
        """ν ``[K]`` for what is left of each budget per step ``[K]``."""
        if self._price is None:
            self._price = torch.full(slack.shape, self._initial, dtype=torch.float64)
        if self._due:
            self._price = (self._price - self._learning_rate * slack.double()).clamp(0.0, self._maximum)
            self._due = False
        return self._price

    def rescale(self, factor: Tensor) -> None:
        """Let both remember gradients ``factor`` ``[P]`` times as large."""
        self._improvement.rescale(factor)
        self._projection.rescale(factor)

    def state_dict(self) -> State:
        """Both solvers' states and ν."""
        return {
            "improvement": self._improvement.state_dict(),
            "projection": self._projection.state_dict(),
            "price": torch.zeros(0) if self._price is None else self._price.clone(),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``."""
        self._improvement.load_state_dict(state["improvement"])
        self._projection.load_state_dict(state["projection"])
        self._price = state["price"].clone() if len(state["price"]) else None

    @property
    def rate(self) -> float:
        """The improvement's."""
        return self._improvement.rate
