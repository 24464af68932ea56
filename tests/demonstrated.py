"""Small demonstrations to be read, learnt from and spoilt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pgrobot.demonstrations import Demonstrations, write_file
from pgrobot.types import Action, EnvironmentSpec, ObservationGroup

NAMES = ("position", "velocity")


def make_spec(
    actions: Sequence[str] = ("motor",), names: Sequence[str] = NAMES, costs: Sequence[str] = ()
) -> EnvironmentSpec:
    """An environment of real numbers in [−2, 2]."""
    return EnvironmentSpec(
        name="Cart",
        num_envs=1,
        observation={"policy": ObservationGroup(tuple(names), (len(names),), "float64")},
        action_low=np.full(len(actions), -2.0),
        action_high=np.full(len(actions), 2.0),
        actions=Action.unitless(*actions),
        reward_terms=("reward",),
        costs=tuple(costs),
        violations=dict.fromkeys(costs, ("cart",)),
        highest_cost=dict.fromkeys(costs, np.inf),
        can_fall=False,
        max_episode_steps=100,
        control_dt=0.1,
    )


def make_demonstrations(
    lengths: Sequence[int] = (5, 3, 4), count: int = 1, width: int = 2, seed: int = 0, **changes: Any
) -> Demonstrations:
    """Random episodes of these lengths, every other one terminated."""
    generator = torch.Generator().manual_seed(seed)
    steps = sum(lengths)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    ends = torch.tensor(lengths).cumsum(0) - 1
    terminated, truncated, start = (torch.zeros(steps, dtype=torch.bool) for _ in range(3))
    terminated[ends[::2]], truncated[ends[1::2]] = True, True
    start[ends[:-1] + 1], start[0] = True, True
    told: dict[str, Any] = {
        "source": "demonstrations.pt",
        "obs": {"policy": draw(steps, width)},
        "next_obs": {"policy": draw(steps, width)},
        "action": draw(steps, count).clamp(-2.0, 2.0),
        "reward": draw(steps),
        "cost": torch.zeros(steps, 0, dtype=torch.float64),
        "terminated": terminated,
        "truncated": truncated,
        "episode_start": start,
        "names": {"policy": NAMES if width == len(NAMES) else tuple(f"entry{i}" for i in range(width))},
        "actions": tuple("motor" if a == 0 else f"motor{a}" for a in range(count)),
        "costs": (),
        "provenance": {"task": "Cart"},
    }
    return Demonstrations(**(told | changes))


def written(path: Path, **told: Any) -> Path:
    """The file of ``make_demonstrations``."""
    write_file(path, make_demonstrations(**told))
    return path
