"""The policy gradient of a linear-quadratic regulator under noise and a finite horizon, from whole trajectories."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import jacrev

from pgrobot.estimators import Estimator, discount_from_start
from pgrobot.factories import PolicyFactory
from pgrobot.laboratory.apparatus import estimate, hermite, last_step
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.laboratory.regulator import Steered, flat, steer
from pgrobot.laboratory.worlds import Regulator
from pgrobot.objectives import Objective

NODES = 3  # a trajectory's gradient is at most of the fourth degree in each number that is drawn


@dataclass(frozen=True)
class Trajectories:
    """Every combination of a quadrature's nodes for all that is drawn along a trajectory, ``N`` of them.

    Attributes:
        state: ``[T, N, n]``.
        action: ``[T, N, 1]``.
        reward: ``[T, N]``.
        weight: of each trajectory ``[N]``.
    """

    state: Tensor
    action: Tensor
    reward: Tensor
    weight: Tensor


def follow(steered: Steered, horizon: int) -> Trajectories:
    """Sum, in place of drawing, over first states, actions and noise; what the last step leads to counts nothing."""
    model = steered.model
    size = len(model.dynamics)
    points, weights = (x.numpy() for x in hermite(NODES))
    drawn = size + horizon + size * (horizon - 1)
    chance = np.array(list(itertools.product(points, repeat=drawn)))
    weight = np.array(list(itertools.product(weights, repeat=drawn))).prod(-1)
    first, exploring, rest = np.split(chance, [size, size + horizon], axis=1)
    pushing = np.concatenate((rest, np.zeros((len(rest), size))), axis=1).reshape(len(rest), horizon, size)
    state, trace = first @ _root(model.start), []
    for t in range(horizon):
        action = -state @ steered.gain.T + steered.deviation * exploring[:, t : t + 1]
        following, reward = steered.advance(state, action, pushing[:, t] @ _root(model.noise))
        trace.append((state, action, reward))
        state = following
    states, actions, rewards = (torch.from_numpy(np.stack(column)) for column in zip(*trace, strict=True))
    return Trajectories(states, actions, rewards, torch.from_numpy(weight))


def _root(covariance: np.ndarray) -> np.ndarray:
    """Of independent dimensions."""
    root: np.ndarray = np.sqrt(np.diag(np.diag(covariance)))
    return root


@dataclass(frozen=True)
class FiniteRegulator:
    """Summed over every trajectory, estimators and surrogates give the gradient of the return in closed form.

    Attributes:
        world: a regulator with one action, whose noise is independent by dimension.
        policy: a linear Gaussian one.
        estimators: by name, with the factor γ^t still to come.
        objectives: surrogates by name.
        baseline: ``−b xᵀx`` is taken from every return.
        horizon: steps, after which nothing follows.
        discount: γ.
        seed: of the policy.
        tolerance: of every parameter's entry.
    """

    world: Regulator
    policy: PolicyFactory
    estimators: Mapping[str, Estimator]
    objectives: Mapping[str, Objective]
    baseline: float
    horizon: int
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        outcomes = []
        for name, objective in self.objectives.items():
            steered = steer(self.world, self.policy, {name: objective}, self.discount, self.seed)
            pair = steered.model.finite_gradient(steered.gain, steered.deviation, self.horizon)
            numbers = torch.from_numpy(flat(pair))
            exact = jacrev(steered.numbers)(steered.apparatus.vector).T @ numbers
            paths = follow(steered, self.horizon)
            for estimator_name, estimator in self.estimators.items():
                found = self._gradient(steered, paths, estimator)
                outcomes.append(compare(f"{name}, {estimator_name}", found, exact, self.tolerance))
        return outcomes

    def _gradient(self, steered: Steered, paths: Trajectories, estimator: Estimator) -> Tensor:
        value = -self.baseline * paths.state.square().sum(-1)
        ended = last_step(value)
        following = torch.cat((value[1:], value[-1:]))
        advantage, _, _ = estimate(estimator, paths.reward, value, following, ended, ended, self.discount)
        age = torch.arange(self.horizon, dtype=value.dtype).unsqueeze(-1)
        # a surrogate is the mean over rows
        weighted = discount_from_start(age, self.discount) * advantage * paths.weight * value.numel()
        rows = (paths.state.flatten(0, 1), paths.action.flatten(0, 1), weighted.flatten())
        return steered.apparatus.gradient(steered.apparatus.batch(*rows))
