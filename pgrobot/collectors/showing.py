"""What a policy shows critics beside what its environment does."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from pgrobot.policies import Acting
from pgrobot.types import Rollout

AnyRollout = TypeVar("AnyRollout", bound=Rollout)


def with_shown(rollout: AnyRollout, policy: Acting, after: Tensor) -> AnyRollout:
    """The rollout with the observation groups that a policy ``shows``.

    Those of a step are made of what is observed and remembered before it. Those of its true successor are made of what
    is observed and remembered after it, as the episode would have gone on with, had it not been cut there. Those of
    what follows the rollout are made as the next step will make them.

    Args:
        rollout: whose carry is that policy's; of one that shows nothing it is returned as it is.
        policy: who acted.
        after: what it remembers after each step, before any reset, ``[T, N, H]``.
    """
    if not policy.shows:
        return rollout
    within = torch.zeros_like(rollout.episode_start)
    return replace(
        rollout,
        obs={**rollout.obs, **policy.show(rollout.obs, rollout.carry, rollout.episode_start)},
        next_obs={**rollout.next_obs, **policy.show(rollout.next_obs, after, within)},
        following_obs={
            **rollout.following_obs,
            **policy.show(rollout.following_obs, after[-1:], rollout.done[-1:]),
        },
    )
