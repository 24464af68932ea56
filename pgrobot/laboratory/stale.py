"""Checks of learning from another policy's experience, summed over every path that policy takes in a solved process."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import grad

from pgrobot.estimators import Estimator
from pgrobot.factories import PolicyFactory
from pgrobot.laboratory.apparatus import estimate, last_step
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.laboratory.paths import Solved, enumerate_paths, solve
from pgrobot.laboratory.worlds import Process
from pgrobot.objectives import Objective


@dataclass(frozen=True)
class Stale:
    """A policy π and every path of another one, μ.

    Attributes:
        solved: π in its process, with the paths of μ.
        behaviour: probabilities of μ ``[S, A]``.
        discount: γ.
    """

    solved: Solved
    behaviour: Tensor
    discount: float

    def estimate(self, estimator: Estimator, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Advantage, target and weight ``[T, N]`` under values ``[S]``; the rollout's end ends no episode."""
        paths, model = self.solved.paths, self.solved.model
        log_ratio = (self.solved.policy / self.behaviour).log()[paths.state, paths.action]
        return estimate(
            estimator, model.reward[paths.state, paths.action], value[paths.state], value[paths.successor],
            paths.terminated, paths.terminated | last_step(paths.terminated), self.discount, log_ratio,
        )  # fmt: skip

    def clipped(self, bar: float) -> Tensor:
        """``μ min(bar, π/μ)`` ``[S, A]``."""
        return torch.minimum(bar * self.behaviour, self.solved.policy)

    def gradient(self, weighted: Tensor) -> Tensor:
        """The gradient that training ascends, of advantages ``[T, N]`` times what each row counts under μ."""
        paths = self.solved.paths
        acted = self.behaviour.log()[paths.state, paths.action].flatten()
        return self.solved.apparatus.gradient(replace(self.solved.batch(weighted), log_prob=acted))


def follow(
    world: Process,
    policy: PolicyFactory,
    terms: Mapping[str, Objective],
    behaviour: Sequence[Sequence[float]],
    horizon: int,
    discount: float,
    seed: int,
) -> Stale:
    """Take a policy with random parameters apart, and follow another one for ``horizon`` steps."""
    acting = torch.tensor(behaviour, dtype=torch.float64)
    solved = solve(world, policy, terms, horizon, seed, lambda _: world.model.start)
    paths = enumerate_paths(solved.model, solved.model.start, acting, horizon)
    return Stale(replace(solved, paths=paths), acting, discount)


@dataclass(frozen=True)
class StaleGradient:
    """A sample of another policy weighs ``min(ρ̄, π/μ)`` in the gradient, once, whichever of the two multiplies.

    With the exact critic, summed over every path of μ, the gradient is ``Σ_t E_μ[Σ_a μ min(ρ̄, π/μ) ∇log π A]``: without
    a bar, the policy gradient of π in the states that μ visits.

    Attributes:
        world: a process.
        policy: a discrete one with as many choices.
        behaviour: probabilities of μ ``[S][A]``.
        estimators: by the name of the surrogate they are made for, all but for the greatest weight.
        objectives: surrogates by name.
        weights: the greatest weights ρ̄.
        horizon: steps of a path.
        discount: γ.
        seed: of π.
        tolerance: of every entry.
    """

    world: Process
    policy: PolicyFactory
    behaviour: Sequence[Sequence[float]]
    estimators: Mapping[str, Callable[..., Any]]
    objectives: Mapping[str, Objective]
    weights: Sequence[float]
    horizon: int
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        outcomes = []
        for name, objective in self.objectives.items():
            stale = follow(
                self.world, self.policy, {name: objective}, self.behaviour,
                self.horizon, self.discount, self.seed,
            )  # fmt: skip
            solved = stale.solved
            value, score = solved.model.values(solved.policy, self.discount, solved.model.reward)
            for bar in self.weights:
                advantage, _, weight = stale.estimate(partial(self.estimators[name], pg_rho_bar=bar), value)
                found = stale.gradient(solved.paths.weight * weight * advantage)
                exact = self._exact(stale, bar, score - value.unsqueeze(-1))
                outcomes.append(compare(f"{name}, weights up to {bar:g}", found, exact, self.tolerance))
        return outcomes

    def _exact(self, stale: Stale, bar: float, advantage: Tensor) -> Tensor:
        solved = stale.solved
        here = visits = solved.model.start
        for _ in range(self.horizon - 1):
            here = torch.einsum("s,sa,sat->t", here, stale.behaviour, solved.model.transition)
            visits = visits + here
        weighted = visits.unsqueeze(-1) * stale.clipped(bar) * advantage
        return grad(lambda v: (weighted * solved.probabilities(v).log()).sum())(solved.apparatus.vector)


@dataclass(frozen=True)
class CorrectedValue:
    """V-trace's target is its operator, whose fixed point is the value of the policy proportional to ``min(ρ̄ μ, π)``.

    Under any critic ``V`` the expected target, ``k`` steps before the rollout's end, is
    ``V + Σ_{j<k} (γλ P_c)ʲ (r_ρ + γ P_ρ V − w V)``, where ``P_c`` moves by ``μ min(c̄, π/μ)``, and ``r_ρ``, ``P_ρ`` and
    ``w`` are reward, moves and mass of ``μ min(ρ̄, π/μ)``.

    Attributes:
        world: a process.
        policy: a discrete one with as many choices.
        behaviour: probabilities of μ ``[S][A]``.
        estimator: V-trace but for λ and its bars.
        bars: triples of λ, ρ̄ and c̄.
        horizon: steps of a path.
        discount: γ.
        seed: of π.
        tolerance: of every step, state and action.
    """

    world: Process
    policy: PolicyFactory
    behaviour: Sequence[Sequence[float]]
    estimator: Callable[..., Any]
    bars: Sequence[tuple[float, float, float]]
    horizon: int
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        stale = follow(self.world, self.policy, {}, self.behaviour, self.horizon, self.discount, self.seed)
        any_critic = torch.linspace(-3, 2, len(stale.behaviour), dtype=torch.float64)
        outcomes = []
        for lam, rho_bar, c_bar in self.bars:
            bars = {"lam": lam, "rho_bar": rho_bar, "c_bar": c_bar, "pg_rho_bar": math.inf}
            estimator = partial(self.estimator, **bars)
            errors = self._errors(stale, any_critic, **bars)
            followed = stale.solved.model.transition @ (any_critic.expand_as(errors) + lam * errors).T
            scores = stale.solved.model.reward + self.discount * followed.permute(2, 0, 1)
            advantage, target = self._means(stale, estimator, any_critic)
            evaluated = self._clipped_value(stale, rho_bar)
            _, again = self._means(stale, estimator, evaluated)
            name = f"λ={lam:g} ρ̄={rho_bar:g} c̄={c_bar:g}"
            outcomes += [
                compare(f"{name}, target", target, any_critic + errors[:-1], self.tolerance),
                compare(
                    f"{name}, advantage", advantage, scores[1:] - any_critic.unsqueeze(-1), self.tolerance
                ),
                compare(f"{name}, fixed point", again, evaluated.expand_as(again), self.tolerance),
            ]
        return outcomes

    def _means(self, stale: Stale, estimator: Estimator, value: Tensor) -> tuple[Tensor, Tensor]:
        """The advantage expected at every step, state and action, and the target at every step and state."""
        advantage, target, _ = stale.estimate(estimator, value)
        expected, _ = stale.solved.means(target)
        return stale.solved.means(advantage)[0], (stale.behaviour * expected).sum(-1)

    def _errors(
        self, stale: Stale, value: Tensor, lam: float, rho_bar: float, c_bar: float, **_: float
    ) -> Tensor:
        """``Σ_{j<k} (γλ P_c)ʲ (r_ρ + γ P_ρ V − w V)`` at every step, and nothing after the last: ``[T + 1, S]``."""
        model = stale.solved.model
        score = model.reward + self.discount * model.transition @ value
        error = (stale.clipped(rho_bar) * (score - value.unsqueeze(-1))).sum(-1)
        move = self.discount * lam * torch.einsum("sa,sat->st", stale.clipped(c_bar), model.transition)
        errors = [torch.zeros_like(error)]
        for _step in range(self.horizon):
            errors.append(error + move @ errors[-1])
        return torch.stack(errors[::-1])

    def _clipped_value(self, stale: Stale, rho_bar: float) -> Tensor:
        clipped = stale.clipped(rho_bar)
        policy, model = clipped / clipped.sum(-1, keepdim=True), stale.solved.model
        return model.values(policy, self.discount, model.reward)[0]
