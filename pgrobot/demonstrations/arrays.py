"""Demonstrations from arrays: a ``.npz`` file of NumPy's.

::

    numpy.savez("shown.npz", observations=…, next_observations=…, actions=…, rewards=…, terminations=…, truncations=…)

| key | what | |
|---|---|---|
| ``observations`` | ``[M, D]``, of the group ``policy``; ``observations/<group>`` of others | needed |
| ``next_observations`` | the same of what each step led to, also at an episode's end | needed |
| ``actions`` | ``[M, A]`` in the units of the action space; choices from 0 on | needed |
| ``rewards`` | ``[M]`` | needed |
| ``terminations``, ``truncations`` | ``[M]`` bool: this step is an episode's last, by the task or by a cut | needed |
| ``costs/<name>`` | ``[M]`` | |
| ``observation_names``, ``…/<group>``, ``action_names`` | ``[D]``, ``[A]`` text: compared with the robot's | |

``M`` steps, one episode after the other.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pgrobot.demonstrations.checking import check_demonstrations
from pgrobot.demonstrations.demonstrations import Demonstrations
from pgrobot.errors import PgrobotError, nearest

WHOLE = "policy"  # the group of observations that are one array
NEEDED = ("observations", "next_observations", "actions", "rewards", "terminations", "truncations")
MAY_BE = ("costs/<name>", "observation_names", "action_names")


def read_arrays(path: Path) -> Demonstrations:
    """Read a ``.npz`` file; nothing in it is executed.

    Raises:
        PgrobotError: it cannot be read, lacks a key or has one that is unknown, or contradicts itself.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise PgrobotError(
            f"{path} is not a .npz file of arrays, or it is damaged: {' '.join(str(error).split())}"
        ) from error
    found: dict[str, dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        word, _, group = key.partition("/")
        if word not in (*NEEDED, "costs", "observation_names", "action_names"):
            raise PgrobotError(f"{path} has the key {key!r}: {nearest(key, (*NEEDED, *MAY_BE))}")
        found.setdefault(word, {})[group or WHOLE] = array
    for word in NEEDED:
        if word not in found:
            raise PgrobotError(f"{path} has no {word!r}; it needs {', '.join(NEEDED)}")
    ended = _flag(path, found, "terminations") | _flag(path, found, "truncations")
    steps = len(ended)
    costs = found.get("costs", {})
    columns = [_numbers(path, f"costs/{name}", value) for name, value in costs.items()]
    names = found.get("observation_names", {})
    demonstrations = Demonstrations(
        source=str(path),
        obs=_groups(path, found, "observations"),
        next_obs=_groups(path, found, "next_observations"),
        action=_actions(_numbers(path, "actions", found["actions"][WHOLE])),
        reward=_numbers(path, "rewards", found["rewards"][WHOLE]),
        cost=torch.stack(columns, -1) if columns else torch.zeros(steps, 0, dtype=torch.float64),
        terminated=_flag(path, found, "terminations"),
        truncated=_flag(path, found, "truncations") & ~_flag(path, found, "terminations"),
        episode_start=torch.cat((torch.ones(min(steps, 1), dtype=torch.bool), ended[:-1])),
        names={group: tuple(map(str, names.get(group, ()))) for group in found["observations"]},
        actions=tuple(map(str, found.get("action_names", {}).get(WHOLE, ()))),
        costs=tuple(costs),
        provenance={"arrays": str(path)},
    )
    check_demonstrations(demonstrations)
    return demonstrations


def _numbers(path: Path, key: str, array: np.ndarray) -> Tensor:
    if array.dtype.kind not in "biuf":
        raise PgrobotError(f"{path}: {key} holds {array.dtype}, where numbers are needed")
    return torch.from_numpy(array.astype(np.float64))


def _actions(actions: Tensor) -> Tensor:
    """One number a step is an action of one entry."""
    return actions.unsqueeze(-1) if actions.dim() == 1 else actions


def _groups(path: Path, found: Mapping[str, Mapping[str, np.ndarray]], word: str) -> dict[str, Tensor]:
    return {
        group: torch.from_numpy(array.copy()) if array.dtype == np.uint8 else _numbers(path, word, array)
        for group, array in found[word].items()
    }


def _flag(path: Path, found: Mapping[str, Mapping[str, np.ndarray]], word: str) -> Tensor:
    array = found[word][WHOLE] if WHOLE in found[word] else np.zeros(0)
    if array.ndim != 1 or not np.isin(array, (0, 1)).all():
        raise PgrobotError(f"{path}: {word} has to be true or false for every step")
    return torch.from_numpy(array.astype(bool))
