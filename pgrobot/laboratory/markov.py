"""Checks in a Markov decision process that is solved and enumerated: the policy gradient theorem, as it trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import grad

from pgrobot.estimators import Estimator, discount_from_start
from pgrobot.factories import PolicyFactory
from pgrobot.laboratory.apparatus import estimate, last_step
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.laboratory.paths import Solved, solve
from pgrobot.laboratory.worlds import Process
from pgrobot.objectives import Objective


@dataclass(frozen=True)
class EnumeratedGradient:
    """Summed over every path, each estimator gives every surrogate the gradient of the closed-form return.

    With γ^t (inherent in the full return, a factor of the return to go) it is the gradient of the discounted return;
    without, it is what later steps count as much as early ones: ``Σ_t E[Σ_a ∇π(a|s_t) Q(s_t, a)]``.

    Attributes:
        world: a process.
        policy: a discrete one with as many choices.
        full_return: an estimator that credits every action with the whole return.
        estimators: by name, those that credit an action with what follows it.
        objectives: surrogates by name; all have to agree.
        horizon: nothing follows so many steps.
        discount: γ.
        seed: of the policy and the arbitrary baseline.
        tolerance: of every entry.
    """

    world: Process
    policy: PolicyFactory
    full_return: Estimator
    estimators: Mapping[str, Estimator]
    objectives: Mapping[str, Objective]
    horizon: int
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        solved = [
            solve(self.world, self.policy, {name: objective}, self.horizon, self.seed, self._start)
            for name, objective in self.objectives.items()
        ]
        one = solved[0]
        of_return = grad(lambda v: self._return(one, v))(one.apparatus.vector)
        undiscounted = grad(lambda v: self._every_step(one, v))(one.apparatus.vector)
        age = torch.arange(self.horizon, dtype=torch.float64).unsqueeze(-1)
        factor = discount_from_start(age, self.discount)
        baselines = {
            "": torch.zeros_like(one.paths.weight),
            ", baseline V(s)": self._value(one)[one.paths.state],
            ", any baseline": torch.linspace(-3, 2, len(one.obs)).double()[one.paths.state],
        }
        full = self._credit(one, self.full_return, baselines[""])
        outcomes = [self._compare("full return", solved, full, of_return)]
        for words, value in baselines.items():
            for name, estimator in self.estimators.items():
                credit = self._credit(one, estimator, value)
                outcomes += [
                    self._compare(f"{name}{words}, γ^t", solved, factor * credit, of_return),
                    self._compare(f"{name}{words}", solved, credit, undiscounted),
                ]
        return outcomes

    def _start(self, policy: Tensor) -> Tensor:
        del policy
        return self.world.model.start

    def _compare(self, name: str, solved: Sequence[Solved], credit: Tensor, exact: Tensor) -> Outcome:
        found = torch.stack([one.gradient(one.paths.weight * credit) for one in solved])
        return compare(name, found, exact.expand_as(found), self.tolerance)

    def _credit(self, solved: Solved, estimator: Estimator, value: Tensor) -> Tensor:
        paths = solved.paths
        ended = paths.terminated | last_step(paths.terminated)
        following = torch.cat((value[1:], value[-1:]))
        reward = solved.model.reward[paths.state, paths.action]
        advantage, _, _ = estimate(estimator, reward, value, following, ended, ended, self.discount)
        return advantage

    def _return(self, solved: Solved, vector: Tensor) -> Tensor:
        return solved.model.finite_objective(solved.probabilities(vector), self.discount, self.horizon)

    def _value(self, solved: Solved) -> Tensor:
        return solved.model.values(solved.policy, self.discount, solved.model.reward)[0]

    def _every_step(self, solved: Solved, vector: Tensor) -> Tensor:
        model = solved.model
        _, scores = model.finite_values(solved.policy, self.discount, model.reward, self.horizon)
        policy, total, visits = solved.probabilities(vector), torch.zeros(()), model.start
        for score in scores:
            total = total + visits @ (policy * score).sum(-1)
            visits = torch.einsum("s,sa,sat->t", visits, solved.policy, model.transition)
        return total


@dataclass(frozen=True)
class ExpectedAdvantage:
    """Given the exact values, the expected estimate is ``Q(s, a) − V(s)`` and the expected target ``V(s)``.

    Whatever λ or n, at every step, state and action.

    Attributes:
        world: a process.
        policy: a discrete one with as many choices.
        estimators: by name.
        horizon: steps of a path.
        discount: γ.
        seed: of the policy.
        tolerance: of every state and action at every step.
    """

    world: Process
    policy: PolicyFactory
    estimators: Mapping[str, Estimator]
    horizon: int
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        solved = solve(self.world, self.policy, {}, self.horizon, self.seed, lambda _: self.world.model.start)
        model, paths = solved.model, solved.paths
        value, score = model.values(solved.policy, self.discount, model.reward)
        values, scores = model.finite_values(solved.policy, self.discount, model.reward, self.horizon)
        step = torch.arange(self.horizon).unsqueeze(-1)
        reward, cut = model.reward[paths.state, paths.action], last_step(paths.terminated)
        endless = (score.expand_as(scores), value.expand_as(values[:-1]))
        outcomes = []
        for name, estimator in self.estimators.items():
            *truncated, _ = estimate(
                estimator, reward, value[paths.state], value[paths.successor],
                paths.terminated, paths.terminated | cut, self.discount,
            )  # fmt: skip
            *ended, _ = estimate(
                estimator, reward, values[step, paths.state], values[step + 1, paths.successor],
                paths.terminated | cut, paths.terminated | cut, self.discount,
            )  # fmt: skip
            outcomes += [
                *self._compare(f"{name}, cut by a time limit", solved, truncated, endless),
                *self._compare(f"{name}, ended by a time limit", solved, ended, (scores, values[:-1])),
            ]
        return outcomes

    def _compare(
        self, name: str, solved: Solved, found: Sequence[Tensor], exact: tuple[Tensor, Tensor]
    ) -> Sequence[Outcome]:
        """Compare the means at every step, state and action that occur with what ``Q [T, S, A]``, ``V [T, S]`` say."""
        scores, values = exact
        advantage, mass = solved.means(found[0])
        target, _ = solved.means(found[1])
        occurs = mass > 0
        here = occurs.any(-1)
        expected = (solved.policy * target.where(occurs, 0.0)).sum(-1)
        return [
            compare(name, advantage[occurs], (scores - values.unsqueeze(-1))[occurs], self.tolerance),
            compare(f"{name}, target", expected[here], values[here], self.tolerance),
        ]
