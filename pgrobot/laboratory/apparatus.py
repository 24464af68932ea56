"""What the checks measure with: a policy in float64 and the very problem, estimator and batch that train it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, vmap
from torch.utils import _pytree as pytree

from pgrobot.batch import Batch
from pgrobot.distributions import Distribution, Gaussian
from pgrobot.estimators import Estimator, EstimatorInput
from pgrobot.factories import PolicyFactory
from pgrobot.objectives import Objective
from pgrobot.randomness import stream
from pgrobot.simulation import Task
from pgrobot.solvers import FlatParameters, PolicyProblem

SPREAD = 0.7  # deviation of the parameters that checks are made at
# rows of equal weight with the moments of a standard normal number up to the fifth
SIX_NODES = torch.tensor([3.0**0.5, -(3.0**0.5), 0.0, 0.0, 0.0, 0.0], dtype=torch.float64)


@dataclass(frozen=True)
class Apparatus:
    """A policy problem at some parameters.

    Attributes:
        problem: what a solver is given.
        vector: the parameters ``[P]``, float64.
        choices: actions that stand for the choices of a discrete world, in policy units ``[K, 1]``.
    """

    problem: PolicyProblem
    vector: Tensor
    choices: Tensor

    def batch(self, obs: Tensor, action: Tensor, advantage: Tensor) -> Batch:
        """Rows ``[B]`` on which the policy at ``vector`` acted."""
        with torch.no_grad():
            reference = pytree.tree_map(torch.clone, self.distribution(self.vector, obs))
        return _rows(obs, action, advantage, reference)

    def distribution(self, vector: Tensor, obs: Tensor) -> Distribution:
        """The policy at any parameters on observations ``[B, D]``."""
        # a policy reads observations only; the other columns are placeholders
        return self.problem.distribution(vector, _rows(obs, obs, obs.sum(-1), Gaussian(obs, obs)))

    def probabilities(self, vector: Tensor, obs: Tensor) -> Tensor:
        """``π(k|o)`` of every choice at observations ``[S, D]``: ``[S, K]``."""
        distribution = self.distribution(vector, obs)
        return torch.stack(
            [distribution.log_prob(choice.expand(len(obs), 1)) for choice in self.choices], dim=-1
        ).exp()

    def gradient(self, batch: Batch) -> Tensor:
        """The gradient of the objective that training ascends, at ``vector``: ``[P]``."""
        return -grad(lambda v: self.problem.loss(v, batch)[0])(self.vector)

    def gradients(self, rows: Batch) -> Tensor:
        """The same of every row by itself, ``[B, P]``."""
        return self.gradients_of(pytree.tree_map(lambda x: x.unsqueeze(1), rows))

    def gradients_of(self, batches: Batch) -> Tensor:
        """The same of ``R`` batches of ``B`` rows, whose columns are ``[R, B, …]``: ``[R, P]``."""
        loss = lambda vector, batch: self.problem.loss(vector, batch)[0]
        return -vmap(grad(loss), in_dims=(None, 0))(self.vector, batches)


def assemble(world: Task, policy: PolicyFactory, terms: Mapping[str, Objective], seed: int) -> Apparatus:
    """Build a policy for a world, with parameters drawn about their initial ones: a new policy is a special case."""
    spec = world.make(1, {}, seed, 1).spec
    built = policy(observation=spec.widths, actions=spec.actions, generator=stream(seed, "policy")).double()
    parameters = FlatParameters(built)
    parameters.vector += SPREAD * torch.randn(
        len(parameters), generator=stream(seed, "parameters"), dtype=torch.float64
    )
    count = int(spec.action_high[0]) if np.isfinite(spec.action_high[0]) else 0
    choices = (2.0 * torch.arange(count, dtype=torch.float64).unsqueeze(-1) + 1.0) / max(count, 1) - 1.0
    return Apparatus(PolicyProblem(built, parameters, terms), parameters.vector, choices)


def estimate(
    estimator: Estimator,
    reward: Tensor,
    value: Tensor,
    next_value: Tensor,
    terminated: Tensor,
    done: Tensor,
    discount: float,
    log_ratio: float | Tensor = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Advantage, target and weight of one column's steps; all ``[T, N]``.

    ``log_ratio`` is log π/μ where another policy μ acted.
    """
    advantage, target, weight = estimator(
        EstimatorInput(
            reward=reward.unsqueeze(-1),
            value=value.unsqueeze(-1),
            next_value=next_value.unsqueeze(-1),
            terminated=terminated.unsqueeze(-1),
            done=done.unsqueeze(-1),
            log_ratio=torch.zeros_like(reward) + log_ratio,
            discount=torch.tensor([discount], dtype=reward.dtype),
        )
    )
    return advantage.squeeze(-1), target.squeeze(-1), weight


def last_step(column: Tensor) -> Tensor:
    """Where a column ``[T, N]`` ends: ``[T, N]`` bool."""
    last = torch.zeros(column.shape, dtype=torch.bool)
    last[-1] = True
    return last


def hermite(nodes: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights ``[nodes]`` whose sums are the expectations of polynomials of a standard normal number.

    Exact up to the degree ``2 nodes − 1`` (Gauss and Hermite).
    """
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    return torch.from_numpy(points), torch.from_numpy(weights / weights.sum())


def _rows(obs: Tensor, action: Tensor, advantage: Tensor, reference: Distribution) -> Batch:
    count = len(obs)
    return Batch(
        obs={"policy": obs},
        carry=torch.zeros(count, 0, dtype=obs.dtype),
        episode_start=torch.zeros(count, dtype=torch.bool),
        action=action,
        log_prob=reference.log_prob(action),
        reference=reference,
        advantage=advantage,
        cost_advantage=torch.zeros(count, 0, dtype=obs.dtype),
        slack=torch.zeros(count, 0, dtype=obs.dtype),
        control=torch.zeros(count, 0, dtype=obs.dtype),
        weight=torch.zeros(count, 0, dtype=obs.dtype),
    )
