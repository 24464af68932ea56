"""Being late: actions that arrive some steps after they were chosen, and observations that are as old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import torch

from pgrobot.action_map import ActionMap
from pgrobot.errors import PgrobotError, shown
from pgrobot.ranges import Range, is_whole
from pgrobot.simulation.wrappers import WrappedEnvironment
from pgrobot.types import Environment, Observation, State, Step


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


class Delay(WrappedEnvironment):
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
        self._late = np.zeros((2, spec.num_envs), np.int64)  # of actions and of observations
        self._told = np.tile(self._rest, (spec.num_envs, self._ranges[0, 1], 1))  # newest first [N, most, A]
        self._seen: dict[str, np.ndarray] = {}  # of each group, newest first [N, most + 1, …]

    def reset(self) -> Observation:
        obs = super().reset()
        self._seen = {
            name: np.repeat(value[:, None], self._ranges[1, 1] + 1, 1) for name, value in self._old(obs)
        }
        self._begin(np.arange(self.spec.num_envs), obs)
        return self._shown(obs, self._seen)

    def restart(self, ids: np.ndarray) -> Observation:
        obs = super().restart(ids)
        self._begin(ids, obs)
        return self._shown(obs, self._seen)

    def step(self, action: np.ndarray) -> Step:
        line = np.concatenate((action[:, None], self._told), 1)
        step = super().step(line[np.arange(len(line)), self._late[0]])
        self._told = line[:, :-1]
        self._seen = {
            name: np.concatenate((value[:, None], self._seen[name][:, :-1]), 1)
            for name, value in self._old(step.next_obs)
        }
        next_obs = self._shown(step.next_obs, self._seen)
        self._begin(np.flatnonzero(step.terminated | step.truncated), step.obs)
        return replace(step, obs=self._shown(step.obs, self._seen), next_obs=next_obs)

    def own_state(self) -> State:
        return {
            "late": torch.from_numpy(self._late.copy()),
            "told": torch.from_numpy(self._told.copy()),
            "seen": {name: torch.from_numpy(value.copy()) for name, value in self._seen.items()},
        }

    def load_own_state(self, state: State) -> None:
        self._late, self._told = (state[key].numpy().copy() for key in ("late", "told"))
        self._seen = {name: value.numpy().copy() for name, value in state["seen"].items()}

    def _begin(self, ids: np.ndarray, obs: Observation) -> None:
        """Forget what was, and draw how late everything is in a new episode, whose first observations are given."""
        low, high = self._ranges.T
        for i in ids:
            self._late[:, i] = low + self._randoms[i].random(2) * (high - low + 1)
        self._told[ids] = self._rest
        for name, value in self._old(obs):
            self._seen[name][ids] = value[ids, None]

    def _old(self, obs: Observation) -> list[tuple[str, np.ndarray]]:
        """The groups that are late: all, or none."""
        return list(obs.items()) if self._ranges[1, 1] else []

    def _shown(self, obs: Observation, seen: dict[str, np.ndarray]) -> Observation:
        rows = np.arange(self.spec.num_envs)
        return {**obs, **{name: value[rows, self._late[1]] for name, value in seen.items()}}
