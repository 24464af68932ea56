"""Showing what was observed before beside what is observed now."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
import torch

from pgrobot.policies import Acting
from pgrobot.ranges import at_least
from pgrobot.types import Environment, EnvironmentSpec, Observation, ObservationGroup, State
from pgrobot.wrappers.showing import Showing
from pgrobot.wrappers.stacking import Stacking


class History(Showing):
    """Shows the last observations side by side, that of now first; where an episode begins the first one several times.

    Images are stacked in their channels, height × width × (steps · channels).

    It travels: a trained policy is shown one observation at a time, and remembers the others itself.

    Args:
        environment: what is observed.
        steps: how many observations are shown, that of now included.
    """

    travels: ClassVar[bool] = True

    def __init__(self, environment: Environment, steps: Annotated[int, at_least(1)]) -> None:
        super().__init__(environment)
        self._steps = steps
        # of each group, newest first [N, steps, D], of images [N, steps, H, W, C]
        self._seen: dict[str, np.ndarray] = {}
        self._rows = {name: _row(group) for name, group in self.spec.observation.items()}
        self.spec = replace(
            self.spec,
            observation={name: _stacked(group, steps) for name, group in self.spec.observation.items()},
        )

    def begin(self, ids: np.ndarray, obs: Observation) -> None:
        for name, value in self._stacked(obs).items():
            if name not in self._seen:
                self._seen[name] = self._begun(value)
            self._seen[name][ids] = self._begun(value[ids])

    def observe(self, obs: Observation) -> None:
        self._seen = {
            name: np.concatenate((now[:, None], self._past(name, now)[:, :-1]), 1)
            for name, now in self._stacked(obs).items()
        }

    def shown(self, obs: Observation) -> Observation:
        return {name: _side_by_side(self._past(name, now)) for name, now in self._stacked(obs).items()}

    def _past(self, name: str, now: np.ndarray) -> np.ndarray:
        """What was seen of a group; as if an episode began where an older version has not remembered its images."""
        if name not in self._seen:
            self._seen[name] = self._begun(now)
        return self._seen[name]

    def own_state(self) -> State:
        return {name: torch.from_numpy(value.copy()) for name, value in self._seen.items()}

    def load_own_state(self, state: State) -> None:
        self._seen = {name: value.numpy().copy() for name, value in state.items()}

    @classmethod
    def carried(cls, policy: Acting, spec: EnvironmentSpec, steps: int) -> tuple[Acting, EnvironmentSpec]:
        """A policy that remembers what it saw, and the spec of the environment within."""
        observation = {name: _single(group, steps) for name, group in spec.observation.items()}
        groups = getattr(policy, "groups", tuple(observation))
        widths = {name: observation[name].width for name in groups if not observation[name].image}
        images = {name: observation[name].shape for name in groups if observation[name].image}
        return Stacking(policy, widths, steps, groups, images), replace(spec, observation=observation)

    def _stacked(self, obs: Observation) -> dict[str, np.ndarray]:
        """What is stacked of each group, ``[N, D]``, of images ``[N, H, W, C]``."""
        return {name: x.reshape(len(x), *self._rows[name]) for name, x in obs.items()}

    def _begun(self, first: np.ndarray) -> np.ndarray:
        """What a first observation ``[n, …]`` shows, ``[n, steps, …]``."""
        return np.repeat(first[:, None], self._steps, 1)


def _row(group: ObservationGroup) -> tuple[int, ...]:
    return group.shape if group.image else (-1,)


def _side_by_side(seen: np.ndarray) -> np.ndarray:
    """What was seen ``[N, steps, …, D]`` in its last dimension, ``[N, …, steps · D]``, a copy."""
    last = np.moveaxis(seen, 1, -2)
    return last.reshape(*last.shape[:-2], -1).copy()


def _stacked(group: ObservationGroup, steps: int) -> ObservationGroup:
    if steps == 1:
        return group
    if group.image:
        *size, channels = group.shape
        pixels = [group.names[i : i + channels] for i in range(0, group.width, channels)]
        names = tuple(_aged(name, age) for pixel in pixels for age in range(steps) for name in pixel)
        return ObservationGroup(names, (*size, steps * channels), group.dtype)
    names = tuple(_aged(name, age) for age in range(steps) for name in group.names)
    return ObservationGroup(names, (steps * group.width,), group.dtype)


def _aged(name: str, age: int) -> str:
    """What an entry is called that was seen so many steps ago."""
    return f"{name}@{age}" if age else name


def _single(group: ObservationGroup, steps: int) -> ObservationGroup:
    if steps == 1:
        return group
    if group.image:
        *size, channels = group.shape
        kept = channels // steps
        names = tuple(name for i, name in enumerate(group.names) if i % channels < kept)
        return ObservationGroup(names, (*size, kept), group.dtype)
    width = group.width // steps
    return ObservationGroup(group.names[:width], (width,), group.dtype)
