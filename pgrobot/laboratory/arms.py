"""Checks in a choice among arms: the policy gradient and its optimum, summed over the arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import jacrev

from pgrobot.estimators import Estimator
from pgrobot.factories import PolicyFactory
from pgrobot.laboratory.apparatus import Apparatus, assemble
from pgrobot.laboratory.bandits import credit
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.laboratory.worlds import Arms
from pgrobot.objectives import Objective
from pgrobot.randomness import stream
from pgrobot.solvers import SolverFactory


@dataclass(frozen=True)
class ArmsGradient:
    """The expected gradient in a choice among arms is ``J q`` with ``J = diag(π) − π πᵀ``, by summing over the arms.

    Attributes:
        world: the arms.
        policy: a discrete one with as many choices.
        estimators: by name; all have to agree.
        objectives: surrogates by name.
        baseline: any constant.
        seed: of the policy.
        tolerance: of every number.
    """

    world: Arms
    policy: PolicyFactory
    estimators: Mapping[str, Estimator]
    objectives: Mapping[str, Objective]
    baseline: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        nothing = torch.zeros(1, 1, dtype=torch.float64)
        reward = torch.tensor(self.world.values, dtype=torch.float64)
        outcomes = []
        for name, objective in self.objectives.items():
            apparatus = assemble(self.world, self.policy, {name: objective}, self.seed)

            def preferences(vector: Tensor, apparatus: Apparatus = apparatus) -> Tensor:
                return apparatus.probabilities(vector, nothing)[0].log()

            here = preferences(apparatus.vector)
            jacobian = jacrev(preferences)(apparatus.vector)
            exact = jacobian.T @ torch.from_numpy(self.world.gradient(here.numpy()))
            found = []
            for estimator in self.estimators.values():
                advantage = credit(estimator, reward, self.baseline) * here.exp() * len(reward)
                batch = apparatus.batch(nothing.expand(len(reward), 1), apparatus.choices, advantage)
                found.append(apparatus.gradient(batch))
            stacked = torch.stack(found)
            outcomes.append(compare(name, stacked, exact.expand_as(stacked), self.tolerance))
        return outcomes


@dataclass(frozen=True)
class RegularisedArms:
    """Gradient ascent on reward and entropy ends at ``π ∝ exp(q / temperature)``.

    Attributes:
        world: the arms.
        policy: a discrete one with as many choices.
        objectives: by name, a surrogate and an entropy bonus.
        temperature: the bonus's weight.
        solver: steps up the gradient; its minibatch is the number of arms.
        steps: how many.
        seed: of the policy.
        tolerance: of every probability.
    """

    world: Arms
    policy: PolicyFactory
    objectives: Mapping[str, Objective]
    temperature: float
    solver: SolverFactory
    steps: int
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        apparatus = assemble(self.world, self.policy, self.objectives, self.seed)
        solver = self.solver(
            vector=apparatus.vector, problem=apparatus.problem, generator=stream(self.seed, "shuffle")
        )
        reward = torch.tensor(self.world.values, dtype=torch.float64)
        nothing = torch.zeros(len(reward), 1, dtype=torch.float64)
        for _ in range(self.steps):
            weight = apparatus.probabilities(apparatus.vector, nothing[:1])[0] * len(reward)
            solver.solve(apparatus.batch(nothing, apparatus.choices, reward * weight))
        found = apparatus.probabilities(apparatus.vector, nothing[:1])[0]
        exact = self.world.best_policy(self.temperature)
        return [
            compare(f"probability of arm {arm}", found[arm], exact[arm], self.tolerance)
            for arm in range(len(reward))
        ]
