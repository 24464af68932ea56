"""Checks of rollouts that are cut and go on as the critic says: under its exact values, and under any others."""

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
from pgrobot.laboratory.look import Look, reach
from pgrobot.laboratory.paths import Solved, solve
from pgrobot.laboratory.worlds import Model, Process
from pgrobot.objectives import Objective

STEPS = 3  # of a rollout


@dataclass(frozen=True)
class Rollouts:
    """Every path of a rollout that the next one continues, until an episode ends.

    Attributes:
        solved: a policy in its process, with those paths.
        discount: γ.
    """

    solved: Solved
    discount: float

    def estimate(self, estimator: Estimator, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Advantage, target and weight ``[T, N]`` under values ``[S]``; the rollout's end ends no episode."""
        paths, model = self.solved.paths, self.solved.model
        return estimate(
            estimator, model.reward[paths.state, paths.action], value[paths.state], value[paths.successor],
            paths.terminated, paths.terminated | last_step(paths.terminated), self.discount,
        )  # fmt: skip

    def gradient(self, advantage: Tensor) -> Tensor:
        """The gradient that training ascends of advantages ``[T, N]``, by their probability and γ^t."""
        age = torch.arange(STEPS, dtype=advantage.dtype).unsqueeze(-1)
        factor = discount_from_start(age, self.discount)
        return self.solved.gradient(self.solved.paths.weight * factor * advantage)


def roll(
    world: Process, policy: PolicyFactory, terms: Mapping[str, Objective], discount: float, seed: int
) -> Rollouts:
    """Take a policy with random parameters apart in a process without a time limit."""
    start = lambda probabilities: _visits(world.model, probabilities, discount)
    return Rollouts(solve(world, policy, terms, STEPS, seed, start), discount)


def _visits(model: Model, policy: Tensor, discount: float) -> Tensor:
    """What first states count ``[S]``: ``Σ_k γ^{kT} P(s_{kT} = s)``.

    Steps of such rollouts, weighed by ``γ^t`` from their start, are the discounted visits of all time.
    """
    move = discount * torch.einsum("sa,sat->st", policy, model.transition)
    whole = torch.linalg.matrix_power(move, STEPS)
    return torch.linalg.solve(torch.eye(len(move), dtype=move.dtype) - whole.T, model.start)


@dataclass(frozen=True)
class ActorCritic:
    """Estimates by the exact critic give the gradient of ``J = startᵀ (I − γ P_π)⁻¹ r_π``, wherever rollouts are cut.

    Attributes:
        world: a process; its time limit is not the problem's.
        policy: a discrete one with as many choices.
        estimators: by name.
        objectives: surrogates by name.
        discount: γ.
        seed: of the policy.
        tolerance: of every entry.
    """

    world: Process
    policy: PolicyFactory
    estimators: Mapping[str, Estimator]
    objectives: Mapping[str, Objective]
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        outcomes = []
        for name, objective in self.objectives.items():
            rollouts = roll(self.world, self.policy, {name: objective}, self.discount, self.seed)
            solved = rollouts.solved
            exact = grad(lambda v, s=solved: s.model.objective(s.probabilities(v), self.discount))(
                solved.apparatus.vector
            )
            value, _ = solved.model.values(solved.policy, self.discount, solved.model.reward)
            for estimator_name, estimator in self.estimators.items():
                advantage, _, _ = rollouts.estimate(estimator, value)
                found = rollouts.gradient(advantage)
                outcomes.append(compare(f"{name}, {estimator_name}", found, exact, self.tolerance))
        return outcomes


@dataclass(frozen=True)
class AnyCritic:
    """Under any critic ``V`` an estimate expects what Bellman's operator ``T`` makes of it as often as it looks ahead.

    That is ``Σ_m w_m (r + γ P T^{m−1} V) − V`` of the advantage and ``Σ_m w_m T^m V`` of the target, with ``w_m`` the
    share of looking ``m`` steps ahead. So n and λ matter, which they do not under the exact critic.

    Attributes:
        world: a process; its time limit is not the problem's.
        policy: a discrete one with as many choices.
        looks: estimators by name.
        objective: a surrogate.
        discount: γ.
        seed: of the policy.
        tolerance: of every step, state and action, and of every entry of the gradient.
    """

    world: Process
    policy: PolicyFactory
    looks: Mapping[str, Look]
    objective: Objective
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        rollouts = roll(self.world, self.policy, {"surrogate": self.objective}, self.discount, self.seed)
        solved = rollouts.solved
        value = torch.linspace(-3, 2, len(solved.obs), dtype=torch.float64)
        outcomes = []
        for name, look in self.looks.items():
            advantage, target, _ = rollouts.estimate(look.estimator, value)
            scores, _ = self._ahead(solved, value, look.advantage)
            _, values = self._ahead(solved, value, look.target)
            expected = scores - value.unsqueeze(-1)
            found = (solved.policy * solved.means(target)[0]).sum(-1)
            outcomes += [
                compare(f"{name}, advantage", solved.means(advantage)[0], expected, self.tolerance),
                compare(f"{name}, target", found, values, self.tolerance),
                compare(
                    f"{name}, gradient",
                    rollouts.gradient(advantage),
                    self._gradient(solved, expected),
                    self.tolerance,
                ),
            ]
        return outcomes

    def _ahead(self, solved: Solved, value: Tensor, shares: Sequence[float]) -> tuple[Tensor, Tensor]:
        """What is expected of every state and action, and of every state, at every step: ``[T, S, A]``, ``[T, S]``."""
        scores = []  # after 1, 2, … steps the critic is asked, [S, A] each
        for _ in range(STEPS):
            scores.append(solved.model.reward + self.discount * solved.model.transition @ value)
            value = (solved.policy * scores[-1]).sum(-1)
        mixed = torch.einsum("tm,msa->tsa", reach(shares, STEPS), torch.stack(scores))
        return mixed, (solved.policy * mixed).sum(-1)

    def _gradient(self, solved: Solved, advantage: Tensor) -> Tensor:
        """``Σ_t γ^t E[Σ_a ∇π(a|s_t) A_t(s_t, a)]`` of advantages ``[T, S, A]``."""
        model, policy = solved.model, solved.policy
        counts = [_visits(model, policy, self.discount)]
        for _ in range(STEPS - 1):
            counts.append(self.discount * torch.einsum("s,sa,sat->t", counts[-1], policy, model.transition))
        weighted = (torch.stack(counts).unsqueeze(-1) * advantage).sum(0)
        return grad(lambda v: (weighted * solved.probabilities(v)).sum())(solved.apparatus.vector)
