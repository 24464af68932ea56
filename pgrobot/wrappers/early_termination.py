"""Ending an episode as soon as it has spent more than it may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np

from pgrobot.constraints import Constraint
from pgrobot.ranges import finite
from pgrobot.simulation.wrappers import WrappedEnvironment
from pgrobot.types import TERMINATION, Environment, Observation, State, Step
from pgrobot.wrappers.allowances import ALL, Allowances, Names, instead

TERM = "early_termination"
REASON = f"{TERMINATION}over_budget"


class EarlyTermination(WrappedEnvironment):
    """Terminates an episode in the step in which it has spent more than it may, and pays that step ``unsafe_reward``.

    Sun et al. 2021 (arXiv 2107.04200). There is no value after it, so that a policy loses what it would have earned.
    With an ``unsafe_reward`` as low as the worst that can follow, who earns the most there keeps the budget wherever it
    can be kept. An episode that never exceeds its budgets is what it was, to the last bit.

    A policy is judged on the bare task, whose episodes go on.

    Args:
        environment: what is wrapped.
        constraints: the budgets.
        cost_discount: of the costs.
        training: whether the environment is trained in; else nothing is changed.
        annealing_steps: environment steps over which budgets with a schedule are tightened.
        unsafe_reward: what the step is paid that ends an episode so, instead of what the task pays.
        costs: the names of the constraints that count, or ``all``.

    Raises:
        PgrobotError: a constraint says nothing of an episode.
    """

    def __init__(
        self,
        environment: Environment,
        constraints: Sequence[Constraint],
        cost_discount: float,
        training: bool,
        annealing_steps: int,
        unsafe_reward: Annotated[float, finite],
        costs: Names = ALL,
    ) -> None:
        super().__init__(environment)
        self._allowances = Allowances(
            f"wrapper.{TERM}",
            self.spec,
            constraints,
            costs,
            cost_discount,
            annealing_steps if training else 0,
        )
        self._unsafe_reward, self._training = unsafe_reward, training
        if training:
            self.spec = replace(self.spec, reward_terms=(*self.spec.reward_terms, TERM))

    def reset(self) -> Observation:
        self._allowances.begin(np.arange(self.spec.num_envs))
        return super().reset()

    def restart(self, ids: np.ndarray) -> Observation:
        self._allowances.begin(ids)
        return super().restart(ids)

    def step(self, action: np.ndarray) -> Step:
        step = super().step(action)
        return self._limited(step) if self._training else step

    def _limited(self, step: Step) -> Step:
        self._allowances.spend(step.cost)
        over = self._allowances.exceeded & ~step.censored  # what a broken step cost is not known
        ended = step.terminated | step.truncated
        self._allowances.begin(np.flatnonzero(ended | over))
        reward, terms = instead(step.reward, step.terms, over, self._unsafe_reward)
        running = np.flatnonzero(over & ~ended)  # the others have begun anew already
        return replace(
            step,
            obs=self.environment.restart(running) if running.size else step.obs,
            reward=reward,
            terms=terms,
            terminated=step.terminated | over,
            truncated=step.truncated & ~over,
            telemetry={**step.telemetry, REASON: over[:, None]},
        )

    def own_state(self) -> State:
        return self._allowances.state_dict()

    def load_own_state(self, state: State) -> None:
        self._allowances.load_state_dict(state)
