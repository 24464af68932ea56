"""The policy gradient before it enters the network: what every step would have each actuator's mean do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.control_variates import drawn_from, drawn_moments
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
        columns: the advantage of every column alone, ``[B, C]``.
        deviation: of the drawn action from its mean, ``[B, J]``.
        score: ``∂ log π / ∂ mean``, ``[B, J]``.
        whole: what each step adds to the gradient of the whole objective in the mean, ``[B, J]``.
        seen: what the policy reads, but images, less that of the first step, ``[B, D]``.
    """

    weight: Tensor
    advantage: Tensor
    columns: Tensor
    deviation: Tensor
    score: Tensor
    whole: Tensor
    seen: Tensor

    @classmethod
    def of(cls, posed: PolicySnapshot, actuators: Actuators) -> Self:
        """Look at the policy's problem where the update began."""
        batch, drawn = posed.batch, actuators.drawn(posed.structure)
        dims = batch.log_prob.dim()
        everything = batch.weight.shape[-1] == 0
        counts = slice(None) if everything else batch.weight.flatten() > 0.0

        def rows(x: Tensor) -> Tensor:
            return x.flatten(0, dims - 1)[counts]

        with torch.no_grad():
            policy = posed.start
            score = mean_score(policy.here, batch.action)
            whole = whole_gradient(policy, posed.problem, batch, score)
            read = [rows(x) for x in groups_read(posed.structure, batch.obs).values()]
        return cls(
            weight=rows(batch.shared(torch.ones_like(batch.log_prob))).double(),
            advantage=rows(batch.advantage).double(),
            columns=torch.stack([rows(x) for x in posed.columns.values()], -1).double(),
            deviation=rows(batch.action - drawn_from(policy.here).mean)[:, drawn].double(),
            score=rows(score)[:, drawn].double(),
            whole=rows(whole)[:, drawn].double(),
            seen=torch.cat(
                [*(x - x[:1] for x in read), rows(score)[:, :0]], -1
            ),  # none of whoever sees images alone
        )

    def shares(self, advantages: Tensor) -> Tensor:
        """What each step adds to the gradients of ``E[advantages]`` in the mean, ``[B, C, J]`` of ``[B, C]``."""
        return (self.weight.unsqueeze(-1) * advantages).unsqueeze(-1) * self.score.unsqueeze(1)

    def feedback(self, shares: Tensor) -> Tensor:
        """Gradients in a constant added to each mean and in its gains on every standardised entry observed.

        Args:
            shares: what each step adds to gradients in the mean, ``[B, G, J]``.

        Returns:
            ``[G, J, 1 + D]``, of which the constant comes first; zero for an entry that never changes.
        """
        weight, constant = self.weight.to(self.seen), shares.sum(0).unsqueeze(-1)
        mean = weight @ self.seen
        spread = (weight @ self.seen.square() - mean.square()).clamp(min=0.0).sqrt()
        moved = (shares.to(self.seen).flatten(1).T @ self.seen).view(*shares.shape[1:], -1)
        gains = torch.where(spread > 0.0, (moved - constant.to(mean) * mean) / spread, 0.0)
        return torch.cat((constant, gains.double()), -1)

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
        return _derivative(lambda by: distribution.shifted(by).log_prob(action).sum(), action)
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
        moved = replace(policy, here=here.shifted(by))
        return torch.stack(list(problem.contributions_of(moved, batch).values())).sum()

    return _derivative(objective, batch.action)


def _derivative(function: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
    """Of a scalar in shifts that are zero, ``[…, A]``; zero where it does not depend on them."""
    by = torch.zeros_like(like, requires_grad=True)
    with torch.enable_grad():  # half of what torch.func.grad takes on so few rows
        value = function(by)
        if not value.requires_grad:
            return torch.zeros_like(like)
        return torch.autograd.grad(value, by, materialize_grads=True)[0]
