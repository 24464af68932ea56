"""Being late: actions that arrive some steps after they were chosen, and observations that are as old."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch

from pgrobot.action_map import ActionMap
from pgrobot.errors import PgrobotError, shown
from pgrobot.ranges import Range, is_whole
from pgrobot.types import Environment, Observation, State
from pgrobot.wrappers.showing import Showing


def _is_steps(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) == 2 and all(is_whole(v) and v >= 0 for v in value) and value[0] <= value[1]
    return is_whole(value) and value >= 0


Steps = Annotated[
    int | Sequence[int],
    Range(
        _is_steps,
        lambda value: [int(bound) for bound in value] if isinstance(value, list) else int(value),
        lambda value: (
            "must be a whole number of steps of at least 0, or two, the lower first, such as [0,3], not "
            f"{shown(value)}"
        ),
    ),
]


class Delay(Showing):
    """Carries out what was chosen some steps ago, and shows what was observed some steps ago.

    At age ``t`` of an episode the robot does what was chosen at age ``t − actions``; before there is any, nothing: 0,
    or what of its bounds is nearest, the offset of ``task.actions``, and of choices the first. Shown is what was
    observed at age ``t − observations``; before there is any, the first observation. An episode shows its own
    observations alone, also as its last successor. Costs and telemetry are of what was carried out.

    Args:
        environment: what is delayed.
        randoms: a random stream for each environment.
        actions: how many steps late, or the least and the greatest number of them, of which each is as likely, drawn at
            every episode's start.
        observations: likewise; all groups are late by as much, images too.

    Raises:
        PgrobotError: nothing would arrive in an episode.
    """

    def __init__(
        self,
        environment: Environment,
        randoms: Sequence[np.random.Generator],
        actions: Steps,
        observations: Steps,
    ) -> None:
        super().__init__(environment)
        spec, self._randoms = self.spec, randoms
        ranges = [(given, given) if isinstance(given, int) else given for given in (actions, observations)]
        self._ranges = np.array(ranges)  # the least and the greatest, of actions and of observations
        for key, most in zip(("actions", "observations"), self._ranges[:, 1], strict=True):
            if most >= spec.max_episode_steps:
                raise PgrobotError(
                    f"wrapper.delay.{key} is up to {most} steps, in which an episode of {spec.name} is over: it has to "
                    f"be less than {spec.max_episode_steps}"
                )
        self._rest = ActionMap.of(spec).rest
        self._rows = np.arange(spec.num_envs)
        self._late = np.zeros((2, spec.num_envs), np.int64)  # of actions and of observations
        self._told = Line(np.tile(self._rest, (spec.num_envs, self._ranges[0, 1] + 1, 1)))
        self._seen: dict[str, Line] = {}  # of each group that is late

    def begin(self, ids: np.ndarray, obs: Observation) -> None:
        """Forget what was, and draw how late everything is in the episodes that begin."""
        low, high = self._ranges.T
        for i in ids:
            self._late[:, i] = low + self._randoms[i].random(2) * (high - low + 1)
        self._told.fill(ids, self._rest)
        if not self._seen and self._ranges[1, 1]:
            self._seen = {
                name: Line(np.repeat(value[:, None], self._ranges[1, 1] + 1, 1))
                for name, value in obs.items()
            }
        for name, line in self._seen.items():
            line.fill(ids, obs[name][ids, None])

    def observe(self, obs: Observation) -> None:
        for name, line in self._seen.items():
            line.put(obs[name])

    def shown(self, obs: Observation) -> Observation:
        return {**obs, **{name: line.back(self._rows, self._late[1]) for name, line in self._seen.items()}}

    def done(self, action: np.ndarray) -> np.ndarray:
        """What was chosen some steps ago, ``[N, A]``."""
        self._told.put(action)
        return self._told.back(self._rows, self._late[0])

    def own_state(self) -> State:
        return {
            "late": torch.from_numpy(self._late.copy()),
            "told": torch.from_numpy(self._told.newest_first()[:, :-1].copy()),
            "seen": {name: torch.from_numpy(line.newest_first()) for name, line in self._seen.items()},
        }

    def load_own_state(self, state: State) -> None:
        self._late, told = (state[key].numpy().copy() for key in ("late", "told"))
        self._told = Line(np.concatenate((told, np.repeat(self._rest[None, None], len(told), 0)), 1))
        self._seen = {name: Line(value.numpy().copy()) for name, value in state["seen"].items()}


class Line:
    """What came in the last ``L`` steps, of ``N`` environments, in places that are filled in turn.

    Args:
        values: what to begin with, newest first ``[N, L, …]``.
    """

    def __init__(self, values: np.ndarray) -> None:
        self._values = values[:, ::-1].copy()
        self._newest = values.shape[1] - 1

    def put(self, value: np.ndarray) -> None:
        """Add what comes now, ``[N, …]``, in the place of the oldest."""
        self._newest = (self._newest + 1) % self._values.shape[1]
        self._values[:, self._newest] = value

    def back(self, rows: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """What came so many steps ago in environments ``rows``, a copy."""
        found: np.ndarray = self._values[rows, (self._newest - steps) % self._values.shape[1]]
        return found

    def fill(self, ids: np.ndarray, value: np.ndarray) -> None:
        """Have everything of environments ``ids`` be one value."""
        self._values[ids] = value

    def newest_first(self) -> np.ndarray:
        """All of it ``[N, L, …]``, a copy."""
        length = self._values.shape[1]
        return self._values[:, (self._newest - np.arange(length)) % length]
