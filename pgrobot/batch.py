"""What is learnt from: the policy's batch and the critic's."""

from __future__ import annotations

from collections.abc import Mapping
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
    reference: Distribution  # the policy's when this update began           […]
    advantage: Tensor  # one number: reward, bonuses and priced costs        […]
    cost_advantage: Tensor  # centred, in the cost's own unit                […, K]


@dataclass(frozen=True)
class CriticBatch:
    """The rows ``[…]`` of a rollout with what their values should have been; a pytree as well."""

    obs: Mapping[str, Tensor]  # observation groups                          […, D]
    target: Tensor  # in the columns' own units                              […, C]


pytree.register_dataclass(Batch)
pytree.register_dataclass(CriticBatch)
