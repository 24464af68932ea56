"""What is learnt from: the policy's batch and the critic's, and the sample that a baseline sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.utils import _pytree as pytree

from pgrobot.distributions import Distribution


@dataclass(frozen=True)
class Batch:
    """The rows ``[…]`` of a rollout with their advantages. A pytree: slice it with ``tree_map``."""

    obs: Mapping[str, Tensor]  # observation groups                          […, D]
    carry: Tensor  # the policy's memory before the step                     […, H]
    episode_start: Tensor  #                                                 […] bool
    action: Tensor  # policy units                                           […, A]
    log_prob: Tensor  # under the policy that acted                          […]
    reference: Distribution  # the policy that distances are measured from   […]
    advantage: Tensor  # one number: reward, bonuses and priced costs        […]
    cost_advantage: Tensor  # centred, in the cost's own unit                […, K]
    control: Tensor  # coefficients of a control variate in the action       […, W]


@dataclass(frozen=True)
class CriticBatch:
    """The rows ``[…]`` of a rollout with what their values should have been; a pytree as well."""

    obs: Mapping[str, Tensor]  # observation groups                          […, D]
    target: Tensor  # in the columns' own units                              […, C]


@dataclass(frozen=True)
class BaselineInput:
    """A rollout as a baseline sees it: what was done and what came of it, reward and priced costs mixed."""

    obs: Mapping[str, Tensor]  # observation groups                          [T, N, D]
    action: Tensor  # policy units                                           [T, N, A]
    reference: Distribution  # the policy that distances are measured from   [T, N]
    done: Tensor  # the last step of an episode                              [T, N] bool
    age: Tensor  # steps already taken in the running episode                [T, N]
    returns: Tensor  # the estimator's estimate of what follows the action   [T, N]
    advantage: Tensor  # the same minus the critic's value                   [T, N]
    weight: Tensor  # γ^t and the estimator's, not a surrogate's own ratio   [T, N]
    score_norm: Callable[[], Tensor]  # ‖∇ log π(a|s)‖² in the parameters, computed when asked for [T, N]


pytree.register_dataclass(Batch)
pytree.register_dataclass(CriticBatch)
