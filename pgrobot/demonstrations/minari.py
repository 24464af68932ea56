"""Demonstrations from a Minari dataset, which needs ``pip install 'pgrobot[minari]'``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgrobot.demonstrations.arrays import WHOLE
from pgrobot.demonstrations.checking import check_demonstrations
from pgrobot.demonstrations.demonstrations import Demonstrations
from pgrobot.errors import PgrobotError


def read_minari(name: str) -> Demonstrations:
    """Read a dataset that lies on this machine; none is downloaded.

    The arrays of a Dict or Tuple are groups called by their keys, as those of Gymnasium's environments are.

    Args:
        name: of the dataset, such as ``mujoco/hopper/expert-v0``.

    Raises:
        PgrobotError: Minari is not installed, has no such dataset here, or the dataset holds what is no array.
    """
    try:
        import minari
    except ImportError as error:
        raise PgrobotError(
            f"minari:{name} needs Minari, which is not installed: pip install 'pgrobot[minari]'"
        ) from error
    try:
        dataset = minari.load_dataset(name)
    except Exception as error:
        raise PgrobotError(
            f"Minari has no dataset {name!r} on this machine ({' '.join(str(error).split())}): minari download {name} "
            "fetches one, minari list local tells those that are here"
        ) from error
    source = f"minari:{name}"
    parts: dict[str, list[Tensor]] = {}
    for episode in dataset.iterate_episodes():
        for key, value in _episode(source, episode):
            parts.setdefault(key, []).append(value)
    if not parts:
        raise PgrobotError(f"{source} holds no episode")
    found = {key: torch.cat(values) for key, values in parts.items()}
    obs = {key.removeprefix("obs:"): value for key, value in found.items() if key.startswith("obs:")}
    demonstrations = Demonstrations(
        source=source,
        obs=obs,
        next_obs={group: found[f"next:{group}"] for group in obs},
        action=found["action"],
        reward=found["reward"],
        cost=torch.zeros(len(found["reward"]), 0, dtype=torch.float64),
        terminated=found["terminated"],
        truncated=found["truncated"],
        episode_start=found["start"],
        names=dict.fromkeys(obs, ()),
        actions=(),
        costs=(),
        provenance={"minari": name},
    )
    check_demonstrations(demonstrations)
    return demonstrations


def _episode(source: str, episode: Any) -> Iterator[tuple[str, Tensor]]:
    """The columns of one episode. It is whole: one that its recording cut is truncated there."""
    reward = torch.from_numpy(np.asarray(episode.rewards, np.float64))
    steps = len(reward)
    for group, array in _groups(episode.observations, ()):
        rows = np.asarray(array)
        if rows.dtype.kind not in "biuf" or len(rows) != steps + 1:
            raise PgrobotError(
                f"{source}: an episode of {steps} steps observes {rows.dtype} {list(rows.shape)} as {group!r}, where "
                f"{steps + 1} rows of numbers are needed"
            )
        image = rows.dtype == np.uint8 and rows.ndim > 2
        told = torch.from_numpy(rows.copy() if image else rows.reshape(steps + 1, -1).astype(np.float64))
        yield f"obs:{group}", told[:-1]
        yield f"next:{group}", told[1:]
    if isinstance(episode.actions, Mapping | tuple):
        raise PgrobotError(f"{source} has actions of several parts, which no policy of pgrobot draws")
    yield "action", torch.from_numpy(np.asarray(episode.actions, np.float64).reshape(steps, -1))
    yield "reward", reward
    terminated = torch.from_numpy(np.asarray(episode.terminations, bool).copy())
    truncated = torch.from_numpy(np.asarray(episode.truncations, bool).copy()) & ~terminated
    truncated[-1] = not terminated[-1]
    yield "terminated", terminated
    yield "truncated", truncated
    yield "start", torch.arange(steps) == 0


def _groups(observations: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(observations, Mapping):
        for key, value in observations.items():
            yield from _groups(value, (*path, str(key)))
    elif isinstance(observations, tuple):
        for index, value in enumerate(observations):
            yield from _groups(value, (*path, str(index)))
    else:
        yield "/".join(path) or WHOLE, observations
