"""Demonstrations from episodes as they happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgrobot.demonstrations.demonstrations import Demonstrations
from pgrobot.errors import FailureError
from pgrobot.types import EnvironmentSpec, Observation, Step

Act = Callable[[Observation, np.ndarray], np.ndarray]


class Recorder:
    """Keeps what an evaluation sees and does: it stands around who acts, and watches the steps."""

    def __init__(self) -> None:
        self._before: dict[str, np.ndarray] = {}
        self._action = np.zeros(0)
        self._rows: list[dict[str, np.ndarray]] = []

    def around(self, act: Act) -> Act:
        """Who acts as before, and is recorded."""

        def acting(obs: Observation, start: np.ndarray) -> np.ndarray:
            self._before = {name: value.copy() for name, value in obs.items()}
            self._action = act(obs, start)
            return self._action

        return acting

    def __call__(self, step: Step, counted: np.ndarray, ages: np.ndarray) -> None:
        """Keep a step of the environments whose episodes count, ``[N]``."""
        del ages
        row = {
            **{f"obs:{name}": value for name, value in self._before.items()},
            **{f"next:{name}": value for name, value in step.next_obs.items()},
            "action": self._action,
            "reward": step.reward,
            "cost": step.cost,
            "terminated": step.terminated,
            "truncated": step.truncated,
            "censored": step.censored,
        }
        self._rows.append({"env": np.flatnonzero(counted)} | {key: x[counted] for key, x in row.items()})

    def demonstrations(
        self, spec: EnvironmentSpec, source: str, provenance: Mapping[str, Any]
    ) -> tuple[Demonstrations, int]:
        """The whole episodes, in the order of the environments, then of time, and how many were left out as broken.

        Raises:
            FailureError: a simulation broke in all of them.
        """
        rows = {key: np.concatenate([row[key] for row in self._rows]) for key in self._rows[0]}
        order = np.argsort(rows.pop("env"), kind="stable")
        found = {key: torch.from_numpy(value[order]) for key, value in rows.items()}
        done = found["terminated"] | found["truncated"]
        start = torch.cat((torch.ones(1, dtype=torch.bool), done[:-1]))
        broken = found.pop("censored")
        whole = ~_anywhere(broken, start)
        left_out = int((broken & done).sum())
        if not bool(whole.any()):
            raise FailureError("A simulation broke in every episode that was to be recorded")
        kept = {key: value[whole] for key, value in found.items()}
        return Demonstrations(
            source=source,
            obs={name: kept[f"obs:{name}"] for name in spec.observation},
            next_obs={name: kept[f"next:{name}"] for name in spec.observation},
            action=kept["action"].double(),
            reward=kept["reward"].double(),
            cost=kept["cost"].double(),
            terminated=kept["terminated"],
            truncated=kept["truncated"] & ~kept["terminated"],
            episode_start=start[whole],
            names={name: group.names for name, group in spec.observation.items()},
            actions=spec.actuators,
            costs=spec.costs,
            provenance=provenance,
        ), left_out


def _anywhere(flag: Tensor, start: Tensor) -> Tensor:
    """Whether it is set anywhere in the episode of each step, ``[M]``."""
    episode = start.long().cumsum(0) - 1
    counts = torch.zeros(int(episode[-1]) + 1).index_add(0, episode, flag.float())
    return counts[episode] > 0.0
