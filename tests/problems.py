"""Small policy problems in float64, in which every Jacobian can be written out."""

from __future__ import annotations

import math
from dataclasses import fields
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from toys import make_policy

from pgrobot.batch import Batch
from pgrobot.distributions import Distribution, Gaussian
from pgrobot.estimators import EstimatorInput
from pgrobot.objectives import PolicyAt, PriorAt, Ratio
from pgrobot.policies.heads.gaussian import GaussianHead
from pgrobot.solvers import FlatParameters, PolicyProblem, Report, Unbounded

RATIO = Ratio(1.0)


def make_problem(
    rows: int = 64, width: int = 2, actions: int = 1, hidden: tuple[int, ...] = (12,), seed: int = 0
) -> tuple[PolicyProblem, Tensor, Batch]:
    """The ratio surrogate of a network on random rows whose advantages are centred; the vector and the batch.

    The bounds of its deviation are so wide that no step meets them.
    """
    head = partial(GaussianHead, log_std=-0.5, log_std_bounds=(-1e6, 1e6))
    policy = make_policy({"policy": width}, actions, hidden, head, seed).double()
    parameters = FlatParameters(policy)
    generator = torch.Generator().manual_seed(seed)
    # The initial last layer is all but zero: a policy that has learnt something is no special case.
    parameters.vector += 0.3 * torch.randn(len(parameters), generator=generator, dtype=torch.float64)
    obs = {"policy": torch.randn(rows, width, generator=generator, dtype=torch.float64)}
    advantage = torch.randn(rows, generator=generator, dtype=torch.float64)
    carry, start = torch.zeros(rows, 0), torch.zeros(rows, dtype=torch.bool)
    with torch.no_grad():
        reference = pytree.tree_map(torch.clone, policy(obs, carry, start)[0])
    action = reference.sample(generator)
    batch = _rows(
        rows,
        obs=obs,
        episode_start=start,
        action=action,
        log_prob=reference.log_prob(action),
        reference=reference,
        advantage=(advantage - advantage.mean()) / advantage.std(),
    )
    return PolicyProblem(policy, parameters, {"surrogate": RATIO}), parameters.vector, batch


def make_batch(reference: Distribution, action: Tensor, advantage: Tensor) -> Batch:
    """Rows without observations."""
    return _rows(
        action.shape[0],
        obs={},
        episode_start=torch.zeros(action.shape[0], dtype=torch.bool),
        action=action,
        log_prob=reference.log_prob(action),
        reference=reference,
        advantage=advantage,
    )


def _rows(count: int, **given: Any) -> Batch:
    """A batch; what is not given is of no width."""
    empty = {field.name: torch.zeros(count, 0) for field in fields(Batch) if field.name not in given}
    return Batch(**(empty | given))


def given(**columns: Tensor) -> EstimatorInput:
    """What an estimator is given; ``terminated`` and ``done`` may be ``[T, N]``, of all columns."""
    ends = ("terminated", "done")
    return EstimatorInput(
        **{name: x.unsqueeze(-1) if name in ends and x.dim() == 2 else x for name, x in columns.items()}
    )


def at(distribution: Distribution) -> PolicyAt:
    """A policy of which terms see this distribution and nothing else."""
    prior = PriorAt(*[lambda: pytest.fail("the term asked for the prior")] * 2)
    return PolicyAt(distribution, lambda *_: pytest.fail("the term asked at other states"), prior)


class Toy(Unbounded):
    """A problem whose distribution and loss are given as functions of the vector."""

    def distribution(self, vector: Tensor, batch: Batch) -> Distribution:
        raise NotImplementedError

    def kl(self, vector: Tensor, batch: Batch) -> Tensor:
        return batch.reference.kl(self.distribution(vector, batch)).mean()

    def surrogate(self, vector: Tensor, batch: Batch) -> Tensor:
        value, _ = RATIO(at(self.distribution(vector, batch)), batch)
        return value

    def loss(self, vector: Tensor, batch: Batch) -> tuple[Tensor, Report]:
        loss = -self.surrogate(vector, batch)
        return loss, {"loss/policy": loss, "policy/kl": self.kl(vector, batch)}


class Bandit(Toy):
    """One Gaussian action, with the parameters mean and log-deviation, and the reward ``−(a − c)²``.

    The batch's six actions, of equal weight, have the normal distribution's moments up to the fifth, so every mean
    over rows that natural gradients need is the expectation. There ``∇J = (−2d, −2σ²)`` with ``d = μ − c``,
    ``F = diag(1/σ², 2)`` and ``F⁻¹∇J = (−2dσ², −σ²)``.
    """

    def __init__(self, mean: float, std: float, target: float) -> None:
        self.vector = torch.tensor([mean, math.log(std)], dtype=torch.float64)
        nodes = torch.tensor([3.0**0.5, -(3.0**0.5), 0.0, 0.0, 0.0, 0.0], dtype=torch.float64)
        action = mean + std * nodes.unsqueeze(-1)
        reward = -(action.squeeze(-1) - target).square()
        reference = Gaussian(torch.full_like(action, mean), self.vector[1].expand_as(action))
        self.batch = make_batch(reference, action, reward - reward.mean())

    def distribution(self, vector: Tensor, batch: Batch) -> Gaussian:
        mean = vector[0].expand_as(batch.action)
        return Gaussian(mean, vector[1].expand_as(batch.action))


class LinearGaussian(Toy):
    """Mean ``Xθ``, deviation fixed: the KL is ``½ ΔᵀFΔ`` with ``F = XᵀX / (B σ²)``; the objective is ``gᵀθ``."""

    def __init__(self, rows: int, size: int, slope: Tensor, log_std: float) -> None:
        generator = torch.Generator().manual_seed(size)
        self.design = torch.randn(rows, size, generator=generator, dtype=torch.float64)
        self.slope = slope
        self.log_std = log_std
        self.fisher = self.design.T @ self.design / rows * math.exp(-2.0 * log_std)
        self.vector = torch.randn(size, generator=generator, dtype=torch.float64)
        action = torch.zeros(rows, 1, dtype=torch.float64)
        self.batch = make_batch(self._at(self.vector), action, torch.zeros(rows, dtype=torch.float64))

    def _at(self, vector: Tensor) -> Gaussian:
        mean = (self.design @ vector).unsqueeze(-1)
        return Gaussian(mean, torch.full_like(mean, self.log_std))

    def distribution(self, vector: Tensor, batch: Batch) -> Gaussian:
        return self._at(vector)

    def surrogate(self, vector: Tensor, batch: Batch) -> Tensor:
        return self.slope @ vector
