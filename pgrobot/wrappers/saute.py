"""Sauté: what is left of each budget is part of what is observed, and without any left nothing is earned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np

from pgrobot.constraints import Constraint
from pgrobot.errors import PgrobotError
from pgrobot.groups import POLICY
from pgrobot.ranges import finite
from pgrobot.simulation.wrappers import WrappedEnvironment
from pgrobot.types import Environment, Observation, ObservationGroup, State, Step
from pgrobot.wrappers.allowances import ALL, Allowances, Names, instead

GROUP = "remaining"  # what the entries are called: remaining/<constraint>
TERM = "saute"


class Saute(WrappedEnvironment):
    """Shows the share that is left of each budget, and pays ``unsafe_reward`` for a step after which one is overspent.

    ``z_0 = 1`` and ``z_{t+1} = (z_t − c_t / d) / γ`` (Sootla et al. 2022, arXiv 2202.06558), with the budget d of an
    episode and the discount γ of its unit, 1 but for ``discounted``; so ``z < 0`` says exactly that the episode has
    spent more than it may. A policy that earns the most keeps the budget in every episode, and not in the mean.

    A policy is judged on the bare task: it is shown z, and reward, costs and ends are the task's own. One that acts
    elsewhere has to be shown z by whoever lets it act.

    Args:
        environment: what is wrapped.
        constraints: the budgets.
        cost_discount: of the costs.
        training: whether the environment is trained in; else the reward is the task's, and budgets are the last ones.
        annealing_steps: environment steps over which budgets with a schedule are tightened.
        unsafe_reward: what a step is paid after which a budget is overspent.
        costs: the names of the constraints that count, or ``all``.

    Raises:
        PgrobotError: a constraint that says nothing of an episode, or lets it spend nothing; or an observation that
            is called what the shares are called.
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
        spec = self.spec
        self._allowances = Allowances(
            "wrapper.saute", spec, constraints, costs, cost_discount, annealing_steps if training else 0
        )
        _check_shares(self._allowances, cost_discount, constraints, spec.max_episode_steps)
        self._unsafe_reward, self._training = unsafe_reward, training
        names = tuple(f"{GROUP}/{name}" for name in self._allowances.names)
        self._group = POLICY if POLICY in spec.observation and not spec.observation[POLICY].image else GROUP
        taken = GROUP in spec.observation or any(set(names) & set(g.names) for g in spec.observation.values())
        if taken:
            raise PgrobotError(
                f"wrapper.saute shows {names[0]!r}, which {spec.name} observes already: leave one of them out"
            )
        beside = spec.observation.get(self._group, ObservationGroup((), (0,), "float64"))
        self._dtype = beside.dtype
        shown = ObservationGroup((*beside.names, *names), (beside.width + len(names),), beside.dtype)
        self.spec = replace(spec, observation={**spec.observation, self._group: shown})
        if training:
            self.spec = replace(self.spec, reward_terms=(*spec.reward_terms, TERM))

    def reset(self) -> Observation:
        self._allowances.begin(np.arange(self.spec.num_envs))
        return self._shown(super().reset())

    def restart(self, ids: np.ndarray) -> Observation:
        self._allowances.begin(ids)
        return self._shown(super().restart(ids))

    def step(self, action: np.ndarray) -> Step:
        step = super().step(action)
        self._allowances.spend(step.cost)
        if self._training:
            unsafe = self._allowances.exceeded & ~step.censored
            reward, terms = instead(step.reward, step.terms, unsafe, self._unsafe_reward)
            step = replace(step, reward=reward, terms=terms)
        next_obs = self._shown(step.next_obs)
        self._allowances.begin(np.flatnonzero(step.terminated | step.truncated))
        return replace(step, obs=self._shown(step.obs), next_obs=next_obs)

    def own_state(self) -> State:
        return self._allowances.state_dict()

    def load_own_state(self, state: State) -> None:
        self._allowances.load_state_dict(state)

    def _shown(self, obs: Observation) -> Observation:
        left = self._allowances.left.astype(self._dtype)
        beside = [obs[self._group].reshape(len(left), -1)] if self._group in obs else []
        return {**obs, self._group: np.concatenate((*beside, left), axis=1)}


def _check_shares(
    allowances: Allowances, discount: float, constraints: Sequence[Constraint], steps: int
) -> None:
    """Refuse what there is no share of."""
    units = {constraint.name: constraint.unit for constraint in constraints}
    for name, amount in zip(allowances.names, allowances.amount, strict=True):
        key = f"constraint.{name}.{'limit' if units[name] == 'probability' else 'budget'}"
        if amount == 0.0:
            raise PgrobotError(
                f"wrapper.saute shows what share of a budget is left, and {key}=0 lets an episode spend nothing: "
                "wrapper=[early_termination] ends it at the first cost, or name others in wrapper.saute.costs"
            )
        if units[name] == "discounted" and discount**steps < np.finfo(np.float32).tiny:
            raise PgrobotError(
                f"wrapper.saute divides by algorithm.discounts.cost={discount:g} in each of {steps:,} steps, beyond "
                f"what numbers hold: constraint.{name}.unit=episode counts costs alike"
            )
