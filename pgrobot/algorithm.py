"""An algorithm, which is a row of ``conf/algorithm``, and what surrounds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import torch

from pgrobot.baselines import NORMALISATIONS, Baseline
from pgrobot.estimators import Estimator
from pgrobot.objectives import Objective, TermFactory
from pgrobot.ranges import Built, Called, Keys, at_least, between, one_of
from pgrobot.reduce import Reduce
from pgrobot.replay import SampleWeights
from pgrobot.solvers import ExponentialAverage, SolverFactory


@dataclass(frozen=True, slots=True)
class Discounts:
    """The keys of ``Algorithm.discounts``: γ by kind of column."""

    reward: Annotated[float, between(0.0, 1.0)]
    cost: Annotated[float, between(0.0, 1.0)]
    bonus: Annotated[float, between(0.0, 1.0)]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How a learner learns; a config's node ``algorithm`` has these keys, and is checked against them.

    Attributes:
        name: what users call it.
        estimator: advantages and targets of every column.
        baseline: what the mixed returns are compared with.
        normalisation: of the advantage: a name in ``NORMALISATIONS``.
        state_discount: whether a step weighs γ^t, t steps into its episode, in the policy gradient.
        objective: the policy objective's terms by name.
        average: of the policy's parameters over updates: the reference that distances are measured from.
        discounts: γ by kind of column: ``reward``, ``cost``, ``bonus``.
        passes: how often per rollout (PPO's epochs) the advantages are estimated anew and both problems solved.
        memory: how many of the last rollouts take part in an update; 1: the one just collected.
        sample_weights: what the steps of each of them count.
        policy_solver: makes the solver that moves the policy.
        critic_solver: makes the solver that fits the critic.
    """

    name: str
    estimator: Annotated[Estimator, Called("lam", Estimator)]
    baseline: Annotated[Baseline, Built("_target_")]
    normalisation: Annotated[str, one_of(*NORMALISATIONS)]
    state_discount: bool
    objective: Annotated[Mapping[str, Annotated[Objective, Called("weight", TermFactory)]], Keys("surrogate")]
    average: Annotated[ExponentialAverage, Built("decay")]
    discounts: Annotated[Mapping[str, float], Discounts]
    passes: Annotated[int, at_least(1)]
    memory: Annotated[int, at_least(1)]
    sample_weights: Annotated[SampleWeights, Built("_target_")]
    policy_solver: Annotated[SolverFactory, Called("rate", SolverFactory)]
    critic_solver: Annotated[SolverFactory, Called("rate", SolverFactory)]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a learner learns; none of it belongs to the algorithm.

    Attributes:
        iterations: updates over which what is annealed reaches its last value, which it keeps in those that follow.
        max_episode_steps: the time limit, for budgets per episode.
        streams: random streams of the two solvers' shuffles, ``policy`` and ``critic``.
        cores: how many the two solvers may keep busy; with one the critic is fitted before the policy moves.
        reduce: what several processes that train the same policy agree on.
        critic_warmup: updates, the first ones, in which the critic alone learns and the policy stays what it is.
    """

    iterations: int
    max_episode_steps: int
    streams: Mapping[str, torch.Generator]
    cores: int
    reduce: Reduce
    critic_warmup: int
