"""Checks in the linear-quadratic regulator: its policy gradients are known, and so is the gain they lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import jacrev

from pgrobot.assembly import Assembly
from pgrobot.batch import Batch
from pgrobot.estimators import Estimator
from pgrobot.factories import PolicyFactory
from pgrobot.laboratory.apparatus import SIX_NODES, Apparatus, assemble, estimate
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.laboratory.training import opened
from pgrobot.laboratory.updates import moved
from pgrobot.laboratory.worlds import LinearModel, Regulator
from pgrobot.objectives import Objective
from pgrobot.randomness import stream
from pgrobot.schemes import LEARNER
from pgrobot.solvers import SolverFactory


@dataclass(frozen=True)
class Steered:
    """A linear Gaussian policy in a regulator with one action.

    Attributes:
        apparatus: the policy, ``u ~ N(−K x, σ²)``.
        model: the regulator.
    """

    apparatus: Apparatus
    model: LinearModel

    def numbers(self, vector: Tensor) -> Tensor:
        """The gain and the log-deviation at any parameters, ``[n + 1]``."""
        size = len(self.model.dynamics)
        probe = torch.cat((torch.eye(size), torch.zeros(1, size))).double()
        distribution = self.apparatus.distribution(vector, probe)
        gain = distribution.mean[-1, 0] - distribution.mean[:-1, 0]
        return torch.cat((gain, distribution.std[0].log()))

    @property
    def gain(self) -> np.ndarray:
        """``K`` ``[1, n]``."""
        found: np.ndarray = self.numbers(self.apparatus.vector)[:-1].numpy()[None]
        return found

    @property
    def deviation(self) -> np.ndarray:
        """``σ`` ``[1]``."""
        found: np.ndarray = self.numbers(self.apparatus.vector)[-1:].exp().numpy()
        return found

    def advance(
        self, state: np.ndarray, action: np.ndarray, noise: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Successors ``[B, n]`` and rewards ``[B]`` of states and noise ``[B, n]`` and actions ``[B, 1]``."""
        model = self.model
        reward = -np.einsum("bi,ij,bj->b", state, model.state_cost, state)
        reward -= np.einsum("bi,ij,bj->b", action, model.action_cost, action)
        return state @ model.dynamics.T + action @ model.control.T + noise, reward

    def batch(self, estimator: Estimator) -> Batch:
        """Rows over which the mean is the expectation over discounted states and actions, under the exact critic.

        The integrands are quadratic in the state, so ``2n`` states with the right second moments do; they are
        polynomials of the action's noise up to the fourth degree. Dynamics without noise are assumed.
        """
        model, gain, deviation = self.model, self.gain, self.deviation
        root = np.linalg.cholesky((1.0 - model.discount) * model.moments(gain, deviation))
        size = len(root)
        states = np.sqrt(size) * np.concatenate((root.T, -root.T))
        state = np.repeat(states, len(SIX_NODES), axis=0)
        noise = np.tile(SIX_NODES.numpy(), 2 * size)
        action = -state @ gain.T + deviation * noise[:, None]
        following, reward = self.advance(state, action, np.zeros_like(state))
        going = torch.zeros(1, len(reward), dtype=torch.bool)
        advantage, _, _ = estimate(
            estimator,
            reward=_row(reward),
            value=_row(model.value(gain, deviation, state)),
            next_value=_row(model.value(gain, deviation, following)),
            terminated=going,
            done=~going,
            discount=model.discount,
        )
        return self.apparatus.batch(torch.from_numpy(state), torch.from_numpy(action), advantage[0])


def _row(numbers: np.ndarray) -> Tensor:
    """One step of ``B`` environments, ``[1, B]``."""
    return torch.from_numpy(numbers).unsqueeze(0)


def steer(
    world: Regulator, policy: PolicyFactory, terms: Mapping[str, Objective], discount: float, seed: int
) -> Steered:
    """Let a linear policy with random parameters, but no bias, steer a regulator."""
    apparatus, model = assemble(world, policy, terms, seed), world.model(discount)
    origin = torch.zeros(1, len(model.dynamics), dtype=torch.float64)
    bias = jacrev(lambda v: apparatus.distribution(v, origin).mean[0, 0])(apparatus.vector) != 0.0
    apparatus.vector.masked_fill_(bias, 0.0)
    return Steered(apparatus, model)


@dataclass(frozen=True)
class RegulatorGradient:
    """Policy gradient and natural gradient equal their closed forms, in the gain and in the log-deviation.

    Attributes:
        world: a regulator without noise, with one action.
        policy: a linear Gaussian one.
        estimator: under the exact critic.
        objectives: surrogates by name.
        solvers: a step of one natural gradient, by name; their metric may be of the policy or of the actions taken.
        discount: γ.
        seed: of the policy.
        tolerance: of every entry.
    """

    world: Regulator
    policy: PolicyFactory
    estimator: Estimator
    objectives: Mapping[str, Objective]
    solvers: Mapping[str, SolverFactory]
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        outcomes = []
        for name, objective in self.objectives.items():
            steered = steer(self.world, self.policy, {name: objective}, self.discount, self.seed)
            apparatus, model = steered.apparatus, steered.model
            jacobian = jacrev(steered.numbers)(apparatus.vector)
            plain = flat(model.gradient(steered.gain, steered.deviation))
            natural = flat(model.natural_gradient(steered.gain, steered.deviation))
            batch = steered.batch(self.estimator)
            # rows count discounted states by their share, whose sum is 1 / (1 − γ)
            found = torch.linalg.pinv(jacobian).T @ apparatus.gradient(batch) / (1.0 - self.discount)
            outcomes.append(compare(f"gradient, {name}", found, plain, self.tolerance))
            before = apparatus.vector.clone()
            for metric, solver in self.solvers.items():
                step = jacobian @ moved(apparatus, solver, batch, self.seed)
                apparatus.vector.copy_(before)
                named = f"natural gradient of the {metric}, {name}"
                outcomes.append(compare(named, step, natural, self.tolerance))
        return outcomes


def flat(pair: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """A gain's and a log-deviation's gradient as one vector."""
    return np.concatenate([numbers.ravel() for numbers in pair])


@dataclass(frozen=True)
class RiccatiGain:
    """Natural gradient steps on exact expectations lead to the gain that solves Riccati's equation.

    Attributes:
        world: a regulator without noise, with one action.
        policy: a linear Gaussian one.
        estimator: under the exact critic.
        objectives: by name, a surrogate and an entropy bonus, which keeps the deviation from vanishing.
        solver: natural gradient.
        steps: how many.
        discount: γ.
        seed: of the policy.
        tolerance: of every entry of the gain.
    """

    world: Regulator
    policy: PolicyFactory
    estimator: Estimator
    objectives: Mapping[str, Objective]
    solver: SolverFactory
    steps: int
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        steered = steer(self.world, self.policy, self.objectives, self.discount, self.seed)
        apparatus = steered.apparatus
        solver = self.solver(
            vector=apparatus.vector, problem=apparatus.problem, generator=stream(self.seed, "solver")
        )
        for _ in range(self.steps):
            solver.solve(steered.batch(self.estimator))
        optimal, _ = steered.model.riccati()
        return [compare(f"gain after {self.steps} steps", steered.gain, optimal, self.tolerance)]


@dataclass(frozen=True)
class LearnedGain:
    """A run from experience, with its learnt critic and its normalisers, comes near the gain of Riccati's equation.

    Attributes:
        overrides: the run, with a linear policy.
        world: the regulator it acts in.
        discount: γ of the run.
        updates: how many.
        tolerance: of the gain's distance over its norm.
    """

    overrides: Sequence[str]
    world: Regulator
    discount: float
    updates: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        with opened(self.overrides) as assembly:
            for _ in range(self.updates):
                assembly.learners[LEARNER].update(assembly.collector.collect()[LEARNER])
            learned = _gain(assembly)
        optimal, _ = self.world.model(self.discount).riccati()
        distance = float(np.linalg.norm(learned - optimal) / np.linalg.norm(optimal))
        return [compare("distance of the gain over its norm", distance, 0.0, self.tolerance)]


@torch.no_grad()
def _gain(assembly: Assembly) -> np.ndarray:
    """The gain of a run's linear policy, ``[m, n]``, by what it does at the origin and a unit from it."""
    size = assembly.environment.spec.widths["policy"]
    probe = torch.cat((torch.zeros(1, size), torch.eye(size)))
    start = torch.zeros(size + 1, dtype=torch.bool)
    distribution, _ = assembly.policy({"policy": probe}, torch.zeros(size + 1, 0), start)
    gain: np.ndarray = (distribution.mean[:1] - distribution.mean[1:]).double().numpy().T
    return gain
