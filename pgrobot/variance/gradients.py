"""The policy gradient of every rollout under every baseline, by the learner that trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from pgrobot.baselines import Baseline
from pgrobot.learner import Learner
from pgrobot.objectives import ControlVariate, Likelihood, Objective
from pgrobot.types import Rollout

# The policy gradient itself: where the policy is the one that acted, every surrogate's first step climbs it.
OBJECTIVE: Mapping[str, Objective] = {"likelihood": Likelihood(1.0), "control": ControlVariate(1.0)}


def gradients(
    learner: Learner,
    rollouts: Sequence[Rollout],
    baselines: Mapping[str, Sequence[Baseline]],
    progress: Callable[[int], None],
) -> dict[str, Tensor]:
    """A gradient per rollout and baseline; the learner stays as it is.

    Args:
        learner: of the policy that collected the rollouts.
        rollouts: ``K`` of them.
        baselines: by name one per rollout.
        progress: told the number of rollouts that are done.

    Returns:
        ``[K, P]`` by name, in the unit of the reward.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in baselines}
    for k, rollout in enumerate(rollouts):
        progress(k)
        for name, own in baselines.items():
            found[name].append(learner.gradient(rollout, own[k], OBJECTIVE))
    return {name: torch.stack(rows) for name, rows in found.items()}
