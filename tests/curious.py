"""Intrinsic rewards as their configs have them, and rollouts of noise for them to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_object
from omegaconf import OmegaConf
from torch import Tensor

import pgrobot.conf
from pgrobot.types import ObservationGroup, Rollout, Widths

CONF = Path(pgrobot.conf.__path__[0]) / "intrinsic"
GAMMA = 0.9


def bonus(name: str, width: int = 2, actions: int = 1, seed: int = 0, **changes: Any) -> Any:
    """One of ``conf/intrinsic`` for observations of a width, small and constant."""
    node: Any = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"), resolve=False)[name]
    sizes = {key: size for key, size in {"hidden": [8], "features": 4}.items() if key in node}
    changes = {"discount": GAMMA, "annealing_steps": 1000, **sizes, **changes}
    assert changes.keys() <= {*node, "spec", "origin"}
    observation = Widths("noise", {"policy": ObservationGroup.numbered("policy", (width,))})
    given = {"observation": observation, "actions": actions, "generator": torch.Generator().manual_seed(seed)}
    kept = {key: value for key, value in node.items() if not key.startswith("_")}
    return get_object(node["_target_"])(**{**kept, **changes, **given})


def rollout(
    steps: int = 12, envs: int = 3, width: int = 2, actions: int = 1, seed: int = 0, **changes: Any
) -> Rollout:
    """A rollout of noise: rows follow each other but for where an episode ends."""
    draw = torch.Generator().manual_seed(seed)
    path = torch.randn(steps + 1, envs, width, generator=draw)
    done = torch.rand(steps, envs, generator=draw) < 0.2
    terminated = done & (torch.rand(steps, envs, generator=draw) < 0.5)
    following = path[1:].clone()
    following[done] = torch.randn(int(done.sum()), width, generator=draw)
    here = (steps, envs)
    fields: dict[str, Any] = {
        "obs": {"policy": path[:-1]},
        "next_obs": {"policy": following},
        "following_obs": {"policy": path[-1:]},
        "action": torch.randn(*here, actions, generator=draw),
        "log_prob": torch.zeros(here),
        "reward": torch.randn(*here, 1, generator=draw),
        "terminated": terminated,
        "truncated": done & ~terminated,
        "censored": torch.zeros(here, dtype=torch.bool),
        "episode_start": torch.cat((torch.ones(1, envs, dtype=torch.bool), done[:-1])),
        "age": torch.zeros(here, dtype=torch.int64),
        "paid": torch.zeros(*here, 0, dtype=torch.bool),
        "carry": torch.zeros(*here, 0),
        "weight": torch.ones(here),
        "duration": torch.ones(here),
        "episodic": torch.ones(1, dtype=torch.bool),
        "columns": ("reward",),
        "telemetry": {},
    }
    return Rollout(**fields | changes)


def paid(part: Any, given: Rollout) -> Tensor:
    """The column that a part adds, ``[T, N]``."""
    found: Tensor = part(given).reward[..., -1]
    return found
