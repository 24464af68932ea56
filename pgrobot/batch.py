"""What is learnt from: the policy's batch and the critic's, and the sample that a baseline sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from pgrobot.distributions import Distribution


@dataclass(frozen=True)
class Batch:
    """The rows of a rollout with their advantages. A pytree: slice it with ``tree_map``.

    Leading dimensions ``…`` are rows ``[B]``, or chunks ``[B, L]`` for a policy that learns from sequences.
    """

    obs: Mapping[str, Tensor]  # observation groups                          […, D]
    carry: Tensor  # the policy's memory before the step                     […, H]
    episode_start: Tensor  #                                                 […] bool
    action: Tensor  # policy units                                           […, A]
    log_prob: Tensor  # under the policy that acted                          […]
    reference: Distribution  # the policy that distances are measured from   […]
    advantage: Tensor  # one number: reward, bonuses and priced costs        […]
    cost_advantage: Tensor  # centred, in the unit of the slack              […, K]
    slack: Tensor  # what is left of each budget per step, or decision       […, K]
    control: Tensor  # coefficients of a control variate in the action       […, W]
    weight: Tensor  # what each row counts; of width 0: all count the same   […, 0 or 1]
    # the true successor's observation groups; empty where no term reads it  […, D]
    next_obs: Mapping[str, Tensor] = field(default_factory=dict)

    def mean(self, x: Tensor) -> Tensor:
        """The mean of ``x`` ``[…]`` over the rows, each as it counts: a scalar."""
        return weighted_mean(x, self.weight)

    def shared(self, x: Tensor) -> Tensor:
        """What each row adds to the mean of ``x``: ``[…]``."""
        if self.weight.shape[-1] == 0:
            return x / x.numel()
        return x * self.weight.squeeze(-1) / self.weight.sum()


@dataclass(frozen=True)
class CriticBatch:
    """The rows or chunks of a rollout with what their values should have been; a pytree as well."""

    obs: Mapping[str, Tensor]  # observation groups                          […, D]
    carry: Tensor  # the critic's memory before the step                     […, H]
    episode_start: Tensor  #                                                 […] bool
    target: Tensor  # in the columns' own units                              […, C]
    weight: Tensor  # as of ``Batch``                                        […, 0 or 1]

    @classmethod
    def of_rows(cls, obs: Mapping[str, Tensor], target: Tensor) -> Self:
        """Rows ``[…]`` that all count the same, for a critic that remembers nothing."""
        nothing = target.new_zeros(*target.shape[:-1], 0)
        return cls(obs, nothing, torch.ones(target.shape[:-1], dtype=torch.bool), target, nothing)

    def mean(self, x: Tensor) -> Tensor:
        """The mean of ``x`` ``[…]`` over the rows, each as it counts: a scalar."""
        return weighted_mean(x, self.weight)


@dataclass(frozen=True)
class BaselineInput:
    """A rollout as a baseline sees it: what was done and what came of it, reward and priced costs mixed."""

    obs: Mapping[str, Tensor]  # observation groups                          [T, N, D]
    action: Tensor  # policy units                                           [T, N, A]
    reference: Distribution  # the policy that distances are measured from   [T, N]
    done: Tensor  # the last step of an episode                              [T, N] bool
    counts: Tensor  # no padding                                             [T, N] bool
    age: Tensor  # steps already taken in the running episode                [T, N]
    returns: Tensor  # the estimator's estimate of what follows the action   [T, N]
    advantage: Tensor  # the same minus the critic's value                   [T, N]
    weight: Tensor  # γ^t and the estimator's, not a surrogate's own ratio   [T, N]
    score_norm: Callable[[], Tensor]  # ‖∇ log π(a|s)‖² in the parameters, computed when asked for [T, N]


def weighted_mean(x: Tensor, weight: Tensor) -> Tensor:
    """``Σ w x / Σ w``, a scalar; the plain mean where ``weight`` has the width 0, and zero where nothing counts."""
    if weight.shape[-1] == 0:
        return x.mean()
    share = weight.squeeze(-1)
    return torch.where(share > 0.0, share * x, 0.0).sum() / share.sum().clamp(min=torch.finfo(x.dtype).tiny)


pytree.register_dataclass(Batch)
pytree.register_dataclass(CriticBatch)
