"""What wrappers have in common that show something else than what is observed, and remember of it what they need."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np

from pgrobot.simulation.wrappers import WrappedEnvironment
from pgrobot.types import Observation, Step


class Showing(WrappedEnvironment, ABC):
    """Shows every observation as it is made at that moment: the last one of an episode before the next one begins."""

    @abstractmethod
    def begin(self, ids: np.ndarray, obs: Observation) -> None:
        """Begin an episode in environments ``ids`` (sorted), of which all ``N`` observe ``obs`` first."""

    @abstractmethod
    def observe(self, obs: Observation) -> None:
        """Go on by a step, after which all observe ``obs``."""

    @abstractmethod
    def shown(self, obs: Observation) -> Observation:
        """What is shown of ``obs``, which was observed last, in arrays that are never overwritten."""

    def done(self, action: np.ndarray) -> np.ndarray:
        """What is done for an action ``[N, A]``: the action itself."""
        return action

    def reset(self) -> Observation:
        obs = super().reset()
        self.begin(np.arange(self.spec.num_envs), obs)
        return self.shown(obs)

    def restart(self, ids: np.ndarray) -> Observation:
        obs = super().restart(ids)
        self.begin(ids, obs)
        return self.shown(obs)

    def step(self, action: np.ndarray) -> Step:
        step = super().step(self.done(action))
        self.observe(step.next_obs)
        next_obs = self.shown(step.next_obs)
        ended = np.flatnonzero(step.terminated | step.truncated)
        if not ended.size and step.obs is step.next_obs:
            return replace(step, obs=next_obs, next_obs=next_obs)
        self.begin(ended, step.obs)
        return replace(step, obs=self.shown(step.obs), next_obs=next_obs)
