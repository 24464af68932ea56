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

    It travels: a trained policy is shown one observation at a time, and remembers the others itself. Images are shown
    as they are.

    Args:
        environment: what is observed.
        steps: how many observations are shown, that of now included.
    """

    travels: ClassVar[bool] = True

    def __init__(self, environment: Environment, steps: Annotated[int, at_least(1)]) -> None:
        super().__init__(environment)
        self._steps = steps
        self._seen: dict[str, np.ndarray] = {}  # of each group, newest first [N, steps, D]
        self.spec = replace(
            self.spec,
            observation={name: _stacked(group, steps) for name, group in self.spec.observation.items()},
        )

    def begin(self, ids: np.ndarray, obs: Observation) -> None:
        for name, value in self._numbers(obs).items():
            if name not in self._seen:
                self._seen[name] = self._begun(value)
            self._seen[name][ids] = self._begun(value[ids])

    def observe(self, obs: Observation) -> None:
        self._seen = {
            name: np.concatenate((now[:, None], self._seen[name][:, :-1]), 1)
            for name, now in self._numbers(obs).items()
        }

    def shown(self, obs: Observation) -> Observation:
        return {**obs, **{name: value.reshape(len(value), -1).copy() for name, value in self._seen.items()}}

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
        return Stacking(policy, widths, steps, groups), replace(spec, observation=observation)

    def _numbers(self, obs: Observation) -> dict[str, np.ndarray]:
        """The groups that are stacked, ``[N, D]``."""
        groups = self.spec.observation
        return {name: x.reshape(len(x), -1) for name, x in obs.items() if not groups[name].image}

    def _begun(self, first: np.ndarray) -> np.ndarray:
        """What a first observation ``[n, D]`` shows, ``[n, steps, D]``."""
        return np.repeat(first[:, None], self._steps, 1)


def _stacked(group: ObservationGroup, steps: int) -> ObservationGroup:
    if group.image or steps == 1:
        return group
    older = tuple(f"{name}@{age}" for age in range(1, steps) for name in group.names)
    return ObservationGroup((*group.names, *older), (steps * group.width,), group.dtype)


def _single(group: ObservationGroup, steps: int) -> ObservationGroup:
    if group.image or steps == 1:
        return group
    width = group.width // steps
    return ObservationGroup(group.names[:width], (width,), group.dtype)
