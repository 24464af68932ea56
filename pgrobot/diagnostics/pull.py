"""The policy gradient before it enters the network: what every step would have each actuator's mean do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.func import grad

from pgrobot.batch import Batch
from pgrobot.control_variates import drawn_moments
from pgrobot.diagnostics.actuators import Actuators
from pgrobot.diagnostics.states import groups_read
from pgrobot.distributions import Distribution, Located
from pgrobot.objectives import PolicyAt
from pgrobot.solvers import PolicyProblem, PolicySnapshot


@dataclass(frozen=True, slots=True)
class Pull:
    """The ``B`` steps of an update's first pass that count, by actuator, in policy units.

    See docs/derivations.md#gradients-by-actuator.

    Attributes:
        weight: what each adds to a mean, together 1, float64, ``[B]``.
        advantage: that trains, as weighed as it does, ``[B]``.
        columns: the advantage of every column alone, ``[B]`` by name.
        deviation: of the drawn action from its mean, ``[B, J]``.
        score: ``∂ log π / ∂ mean``, ``[B, J]``.
        whole: what each step adds to the gradient of the whole objective in the mean, ``[B, J]``.
        seen: what the policy reads, but images, less that of the first step, ``[B, D]``.
    """

    weight: Tensor
    advantage: Tensor
    columns: Mapping[str, Tensor]
    deviation: Tensor
    score: Tensor
    whole: Tensor
    seen: Tensor

    @classmethod
    def of(cls, posed: PolicySnapshot, actuators: Actuators) -> Self:
        """Look at the policy's problem where the update began."""
        batch, problem, drawn = posed.batch, posed.problem, actuators.drawn(posed.policy)
        dims = batch.log_prob.dim()
        everything = batch.weight.shape[-1] == 0
        counts = slice(None) if everything else batch.weight.flatten() > 0.0

        def rows(x: Tensor) -> Tensor:
            return x.flatten(0, dims - 1)[counts]

        with torch.no_grad():
            policy = problem.at(posed.parameters.vector, batch)
            mean, _ = drawn_moments(policy.here)
            score = mean_score(policy.here, batch.action)
            whole = whole_gradient(policy, problem, batch, score)
        seen = torch.cat([rows(x) - rows(x)[:1] for x in groups_read(posed.policy, batch.obs).values()], -1)
        return cls(
            weight=rows(batch.shared(torch.ones_like(batch.log_prob))).double(),
            advantage=rows(batch.advantage).double(),
            columns={name: rows(x).double() for name, x in posed.columns.items()},
            deviation=rows(batch.action - mean)[:, drawn].double(),
            score=rows(score)[:, drawn].double(),
            whole=rows(whole)[:, drawn].double(),
            seen=seen,
        )

    def shares(self, advantage: Tensor) -> Tensor:
        """What each step adds to the gradient of ``E[advantage]`` in the mean, ``[B, J]``."""
        return (self.weight * advantage).unsqueeze(-1) * self.score

    def gradient(self, column: str) -> Tensor:
        """Of a column's own objective in the mean of every actuator, per policy unit, ``[J]``."""
        return self.shares(self.columns[column]).sum(0)

    def feedback(self, shares: Tensor) -> Tensor:
        """Gradient in a constant added to each mean and in its gains on every standardised entry observed.

        Args:
            shares: what each step adds to the gradient in the mean, ``[B, J]``.

        Returns:
            ``[J, 1 + D]``; zero for an entry that never changes.
        """
        weight, constant = self.weight.to(self.seen), shares.sum(0).unsqueeze(-1)
        mean = weight @ self.seen
        spread = (weight @ self.seen.square() - mean.square()).clamp(min=0.0).sqrt()
        moved = shares.to(self.seen).T @ self.seen - constant.to(mean) * mean
        return torch.cat((constant, torch.where(spread > 0.0, moved / spread, 0.0).double()), -1)

    def push(self) -> Tensor:
        """``E[A (a − μ)]`` of the standardised advantage, policy units, ``[J]``."""
        centred = self.advantage - self.weight @ self.advantage
        scale = (self.weight @ centred.square()).sqrt()
        return (self.weight * centred / scale) @ self.deviation

    def signal_to_noise(self) -> Tensor:
        """``|mean| / deviation`` of what one step says of the gradient of the advantage that trains, ``[J]``."""
        one = self.advantage.unsqueeze(-1) * self.score
        mean = self.weight @ one
        return mean.abs() / (self.weight @ (one - mean).square()).sqrt()


def mean_score(distribution: Distribution, action: Tensor) -> Tensor:
    """``∂ log π(a) / ∂ E[a]`` along the way on which the mean moves at the least KL, ``[…, A]``.

    Of a distribution that has a place, its location score: ``Σ⁻¹ (a − μ)`` of a Gaussian. Of another one, whose action
    dimensions are independent, ``(a − E[a]) / Var[a]``: that of the tilt ``π exp(η a)``.
    """
    if isinstance(distribution, Located):
        return grad(lambda by: distribution.shifted(by).log_prob(action).sum())(torch.zeros_like(action))
    mean, std = drawn_moments(distribution)
    return (action - mean) / std.square()


def whole_gradient(policy: PolicyAt, problem: PolicyProblem, batch: Batch, score: Tensor) -> Tensor:
    """What each step adds to the gradient in the mean of all weighted terms together, ``[…, A]``.

    Of a distribution without a place: of the advantage that trains alone.
    """
    here = policy.here
    if not isinstance(here, Located):
        return batch.shared(batch.advantage).unsqueeze(-1) * score

    def objective(by: Tensor) -> Tensor:
        moved = PolicyAt(here.shifted(by), policy.ask)
        return torch.stack(list(problem.contributions_of(moved, batch).values())).sum()

    return grad(objective)(torch.zeros_like(batch.action))
