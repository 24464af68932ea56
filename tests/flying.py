"""Drones as their configs have them, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import get_class
from omegaconf import OmegaConf

import pgrobot.conf
from pgrobot.simulation import BatchEnvironment
from pgrobot.simulation.costs import Cost

TASKS = Path(pgrobot.conf.__path__[0]) / "task"


def drone(name: str, **changes: Any) -> Any:
    """The task of ``conf/task/<name>.yaml``, with some options changed."""
    options: Any = OmegaConf.to_container(OmegaConf.load(TASKS / f"{name}.yaml"))
    options.pop("defaults")
    return get_class(options.pop("_target_"))(**options | changes)


def made(
    name: str, num_envs: int, costs: Mapping[str, Cost] | None = None, seed: int = 0, **changes: Any
) -> BatchEnvironment:
    environment: BatchEnvironment = drone(name, **changes).make(num_envs, costs or {}, seed, 1)
    environment.reset()
    return environment


def turned(quaternion: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Hamilton's product ``by · quaternion``, of ``[4]`` each."""
    (a, *u), (b, *v) = by, quaternion
    return np.array([a * b - np.dot(u, v), *(a * np.array(v) + b * np.array(u) + np.cross(u, v))])
