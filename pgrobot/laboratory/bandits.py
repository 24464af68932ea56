"""Checks in a Gaussian bandit: the policy gradient, its variance and its optimum, all in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import grad_and_value, jacrev
from torch.utils import _pytree as pytree

from pgrobot.batch import Batch
from pgrobot.estimators import Estimator
from pgrobot.factories import PolicyFactory
from pgrobot.laboratory.apparatus import Apparatus, assemble, estimate, hermite
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.laboratory.worlds import Bandit
from pgrobot.objectives import Objective
from pgrobot.randomness import stream
from pgrobot.solvers import SolverFactory

NODES = 16  # integrates polynomials of a Gaussian up to the degree 31


@dataclass(frozen=True)
class Draw:
    """A Gaussian policy in a bandit, with one row per quadrature node.

    Attributes:
        apparatus: the policy.
        mean, std: its only two numbers.
        jacobian: their derivatives, ``∂(mean, log std)/∂θ`` ``[2, P]``.
        action: ``[B, 1]``.
        weight: probability of each row ``[B]``.
    """

    apparatus: Apparatus
    mean: float
    std: float
    jacobian: Tensor
    action: Tensor
    weight: Tensor

    def batch(self, advantage: Tensor) -> Batch:
        """The rows with their advantages ``[B]``."""
        return self.apparatus.batch(torch.zeros_like(self.action), self.action, advantage)

    def gradients(self, batch: Batch) -> Tensor:
        """Every row's gradient in terms of ``(mean, log std)``, ``[B, 2]``."""
        return self.apparatus.gradients(batch) @ torch.linalg.pinv(self.jacobian)


def draw(world: Bandit, policy: PolicyFactory, terms: Mapping[str, Objective], seed: int) -> Draw:
    """Let a policy with random parameters act on the nodes of a quadrature."""
    apparatus = assemble(world, policy, terms, seed)
    nodes, weight = hermite(NODES)
    pair = moments(apparatus)
    mean, std = pair(apparatus.vector)[0].item(), pair(apparatus.vector)[1].exp().item()
    action = (mean + std * nodes).unsqueeze(-1)
    return Draw(apparatus, mean, std, jacrev(pair)(apparatus.vector), action, weight)


def moments(apparatus: Apparatus) -> Callable[[Tensor], Tensor]:
    """What gives ``(mean, log std)`` of a policy in a bandit at any parameters ``[P]``."""
    nothing = torch.zeros(1, 1, dtype=torch.float64)

    def pair(vector: Tensor) -> Tensor:
        distribution = apparatus.distribution(vector, nothing)
        return torch.cat((distribution.mean[0], distribution.std[0].log()))

    return pair


def credit(estimator: Estimator, reward: Tensor, baseline: float) -> Tensor:
    """What the estimator makes of rewards ``[B]`` in episodes of one step under a constant baseline: ``[B]``."""
    ended = torch.ones(1, len(reward), dtype=torch.bool)
    value = torch.full((1, len(reward)), baseline, dtype=reward.dtype)
    return estimate(estimator, reward.unsqueeze(0), value, value, ended, ended, discount=0.9)[0][0]


@dataclass(frozen=True)
class BanditGradient:
    """The expected gradient of every surrogate equals ``(−2d, −2σ²)``, whatever estimator and baseline.

    Attributes:
        world: the bandit.
        policy: a Gaussian one.
        estimators: by name; all have to agree.
        objectives: surrogates by name.
        baseline: any constant.
        seed: of the policy.
        tolerance: of every number.
    """

    world: Bandit
    policy: PolicyFactory
    estimators: Mapping[str, Estimator]
    objectives: Mapping[str, Objective]
    baseline: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        outcomes = []
        for name, objective in self.objectives.items():
            drawn = draw(self.world, self.policy, {name: objective}, self.seed)
            reward = torch.from_numpy(self.world.reward(drawn.action[:, 0].numpy()))
            exact = drawn.jacobian.T @ torch.from_numpy(self.world.gradient(drawn.mean, drawn.std))
            advantages = [credit(estimator, reward, self.baseline) for estimator in self.estimators.values()]
            # a surrogate is the mean over rows
            batches = [drawn.batch(advantage * drawn.weight * NODES) for advantage in advantages]
            found = torch.stack([drawn.apparatus.gradient(batch) for batch in batches])
            outcomes.append(compare(name, found, exact.expand_as(found), self.tolerance))
        return outcomes


@dataclass(frozen=True)
class BanditVariance:
    """One sample's gradient has the mean and the variance of its closed form, without a baseline and with two.

    Attributes:
        world: the bandit.
        policy: a Gaussian one.
        estimator: what subtracts the baseline.
        objective: the surrogate.
        seed: of the policy.
        tolerance: of every number.
    """

    world: Bandit
    policy: PolicyFactory
    estimator: Estimator
    objective: Objective
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        drawn = draw(self.world, self.policy, {"surrogate": self.objective}, self.seed)
        reward = torch.from_numpy(self.world.reward(drawn.action[:, 0].numpy()))
        best, best_for_std = self.world.best_baselines(drawn.mean, drawn.std)
        baselines = {
            "no baseline": 0.0,
            "baseline V": self.world.value(drawn.mean, drawn.std),
            "best baseline for the mean": best,
            "best baseline for the deviation": best_for_std,
        }
        outcomes = []
        for name, baseline in baselines.items():
            found = drawn.gradients(drawn.batch(credit(self.estimator, reward, float(baseline))))
            mean = drawn.weight @ found
            variance = drawn.weight @ (found - mean).square()
            exact = self.world.variance(drawn.mean, drawn.std, float(baseline))
            gradient = self.world.gradient(drawn.mean, drawn.std)
            outcomes += [
                compare(f"mean, {name}", mean, gradient, self.tolerance),
                compare(f"variance of ∂μ, {name}", variance[0], exact[0], self.tolerance),
                compare(f"variance of ∂log σ, {name}", variance[1], exact[1], self.tolerance),
            ]
        return outcomes


@dataclass(frozen=True)
class Divergence:
    """A KL penalty and its gradient are those of two Gaussians, ``KL(N(m₀, s₀²) ‖ N(m, s²))``; at the first it is flat.

    Attributes:
        world: the bandit.
        policy: a Gaussian one: the reference.
        objectives: penalties by name; their weight is the factor that is asked for.
        distances: how far in every parameter the policy has gone from the reference.
        seed: of the policy.
        tolerance: of every number.
    """

    world: Bandit
    policy: PolicyFactory
    objectives: Mapping[str, Objective]
    distances: Sequence[float]
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        outcomes = []
        for name, objective in self.objectives.items():
            drawn = draw(self.world, self.policy, {name: objective}, self.seed)
            apparatus, pair = drawn.apparatus, moments(drawn.apparatus)
            batch = drawn.batch(torch.zeros(NODES, dtype=torch.float64))
            for distance in self.distances:
                away = apparatus.vector + distance
                slope, loss = grad_and_value(lambda v, b=batch, p=apparatus.problem: p.loss(v, b)[0])(away)
                mean, log_std = pair(away).tolist()
                variance, gap = math.exp(2.0 * log_std), mean - drawn.mean
                spread = (drawn.std**2 + gap**2) / variance
                divergence = log_std - math.log(drawn.std) + 0.5 * (spread - 1.0)
                exact = torch.tensor([gap / variance, 1.0 - spread], dtype=torch.float64)
                found = slope @ torch.linalg.pinv(jacrev(pair)(away))
                words = f"{name}, {distance:g} away"
                outcomes += [
                    compare(f"value, {words}", loss, objective.weight * divergence, self.tolerance),
                    compare(f"gradient, {words}", found, objective.weight * exact, self.tolerance),
                ]
        return outcomes


@dataclass(frozen=True)
class SampleSize:
    """The variance of a batch's gradient falls as one over its rows: the slope in logarithms is −1.

    Attributes:
        world: the bandit.
        policy: a Gaussian one.
        objective: the surrogate.
        sizes: rows of a batch.
        batches: drawn per size.
        seed: of policy and draws.
        tolerance: of the slope.
    """

    world: Bandit
    policy: PolicyFactory
    objective: Objective
    sizes: Sequence[int]
    batches: int
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        drawn = draw(self.world, self.policy, {"surrogate": self.objective}, self.seed)
        generator = stream(self.seed, "draws")
        variances = []
        for size in self.sizes:
            noise = torch.randn(self.batches * size, 1, generator=generator, dtype=torch.float64)
            action = drawn.mean + drawn.std * noise
            reward = torch.from_numpy(self.world.reward(action[:, 0].numpy()))
            rows = drawn.apparatus.batch(torch.zeros_like(action), action, reward)
            batches = pytree.tree_map(lambda x, n=size: x.view(self.batches, n, *x.shape[1:]), rows)
            variances.append(float(drawn.apparatus.gradients_of(batches).var(0).sum()))
        slope = np.polyfit(np.log(self.sizes), np.log(variances), 1)[0]
        return [compare("slope of log variance over log rows", float(slope), -1.0, self.tolerance)]


@dataclass(frozen=True)
class RegularisedBandit:
    """Gradient ascent on reward and entropy ends at the best action with the variance ``temperature / 2``.

    Attributes:
        world: the bandit.
        policy: a Gaussian one.
        objectives: by name, a surrogate and an entropy bonus.
        temperature: the bonus's weight.
        solver: steps up the gradient; its minibatch is the quadrature's rows.
        steps: how many.
        seed: of the policy.
        tolerance: of every number.
    """

    world: Bandit
    policy: PolicyFactory
    objectives: Mapping[str, Objective]
    temperature: float
    solver: SolverFactory
    steps: int
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        drawn = draw(self.world, self.policy, self.objectives, self.seed)
        apparatus = drawn.apparatus
        solver = self.solver(
            vector=apparatus.vector, problem=apparatus.problem, generator=stream(self.seed, "shuffle")
        )
        nothing = torch.zeros(NODES, 1, dtype=torch.float64)
        nodes, weight = hermite(NODES)
        for _ in range(self.steps):
            here = apparatus.distribution(apparatus.vector, nothing)
            action = here.mean + here.std * nodes.unsqueeze(-1)
            reward = torch.from_numpy(self.world.reward(action[:, 0].numpy()))
            solver.solve(apparatus.batch(nothing, action, reward * weight * NODES))
        end = apparatus.distribution(apparatus.vector, nothing)
        mean, std = float(end.mean[0]), float(end.std[0])
        return [
            compare("slope of the value in the mean", self.world.gradient(mean, std)[0], 0.0, self.tolerance),
            compare("variance", std**2, self.world.best_deviation(self.temperature) ** 2, self.tolerance),
        ]
