"""Demonstrations as a policy reads and a Rollout holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pgrobot.action_map import ActionMap
from pgrobot.demonstrations.demonstrations import Demonstrations
from pgrobot.origin import Origin, Reader
from pgrobot.types import EnvironmentSpec


@dataclass(frozen=True, slots=True)
class LearntRows:
    """The steps of demonstrations, ``M`` rows."""

    obs: Mapping[
        str, Tensor
    ]  # groups, measured from the policy's origin        [M, D] float32, images as they are
    next_obs: Mapping[str, Tensor]  # likewise
    action: Tensor  # policy units, within what the environment takes             [M, A] float32
    episode_start: Tensor  #                                                      [M] bool


def as_learnt(demonstrations: Demonstrations, spec: EnvironmentSpec, origin: Origin) -> LearntRows:
    """What a policy would have read and drawn, had it shown them.

    Where a policy draws beyond the range of an action, the environment's own bound was done and is what stands here.

    Args:
        demonstrations: of the robot: see ``check_against``.
        spec: of the environment.
        origin: the policy's.
    """
    read = origin.reader()
    to_environment = ActionMap.of(spec)
    action = (demonstrations.action.numpy() - to_environment.centre) / to_environment.unit
    known = spec.observation
    return LearntRows(
        {name: _read(read, name, demonstrations.obs[name], known[name].row_dtype) for name in known},
        {name: _read(read, name, demonstrations.next_obs[name], known[name].row_dtype) for name in known},
        torch.from_numpy(action.astype(np.float32)),
        demonstrations.episode_start,
    )


def _read(read: Reader, group: str, value: Tensor, dtype: str) -> Tensor:
    out = np.empty(tuple(value.shape), dtype)
    read(group, value.numpy(), out)
    return torch.from_numpy(out)
