"""What environments that are made of ``N`` single ones do alike: ages, time limit, streams, same-step auto-reset."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from pgrobot.errors import PgrobotError
from pgrobot.types import EnvironmentSpec, Observation, State, Step


def streams(seed: int, num_envs: int) -> list[np.random.Generator]:
    """A random stream for each of ``N`` environments, the same of environment ``i`` whatever ``N`` is."""
    sequences = (np.random.SeedSequence(seed, spawn_key=(i,)) for i in range(num_envs))
    return [np.random.default_rng(sequence) for sequence in sequences]


class EpisodeClock:
    """Ages of ``N`` episodes under one time limit, and a random stream for each environment.

    Environment ``i`` draws from a stream of its own, spawned from the seed with the key ``i``: it depends neither on
    ``N`` nor on the threads.

    Args:
        num_envs: N.
        limit: steps after which an episode is over.
        seed: of all streams.

    Attributes:
        age: steps taken in the running episodes, ``[N]`` int64.
        randoms: the streams, one per environment.
    """

    def __init__(self, num_envs: int, limit: int, seed: int) -> None:
        self.age = np.zeros(num_envs, dtype=np.int64)
        self.randoms = streams(seed, num_envs)
        self._limit = limit

    def tick(self) -> np.ndarray:
        """Count a step everywhere; returns which episodes have reached the limit, ``[N]`` bool."""
        self.age += 1
        over: np.ndarray = self.age >= self._limit
        return over

    def begin(self, ids: np.ndarray) -> None:
        """Begin new episodes in environments ``ids``; the streams go on."""
        self.age[ids] = 0

    def state_dict(self) -> State:
        """Ages and streams."""
        return {
            "elapsed": torch.from_numpy(self.age.copy()),
            "random": [random.bit_generator.state for random in self.randoms],
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``."""
        self.age[:] = state["elapsed"].numpy()
        for random, saved in zip(self.randoms, state["random"], strict=True):
            random.bit_generator.state = saved


class AutoReset(ABC):
    """``N`` environments in which a new episode begins in the step that ended one.

    Whoever derives from it says how all advance by one step and how some begin anew.

    Attributes:
        leaving: told which episodes have ended, ``[n]``, as long as their last state is there to be seen.
    """

    spec: EnvironmentSpec
    leaving: tuple[Callable[[np.ndarray], None], ...] = ()

    @abstractmethod
    def advance(self, action: np.ndarray) -> Step:
        """Advance by one action ``[N, A]``, and leave an ended episode as it ended: ``obs`` is ``next_obs``."""

    @abstractmethod
    def restart(self, ids: np.ndarray) -> Observation:
        """Start a new episode in environments ``ids`` (sorted) and return what all observe, in arrays of its own."""

    def reset(self) -> Observation:
        """Start a new episode everywhere; the streams go on."""
        return self.restart(np.arange(self.spec.num_envs))

    def step(self, action: np.ndarray) -> Step:
        """Advance by one action ``[N, A]``, in the units of the action space, and begin anew where an episode ended.

        Raises:
            PgrobotError: the action has another shape, or what ``advance`` raises.
        """
        step = self.advance(action)
        ended = np.flatnonzero(step.terminated | step.truncated)
        if not ended.size:
            return step
        for told in self.leaving:
            told(ended)
        return replace(step, obs=self.restart(ended))

    def check_action(self, action: np.ndarray) -> None:
        """Refuse an action of another shape; raises PgrobotError."""
        wanted = (self.spec.num_envs, len(self.spec.actions))
        if action.shape != wanted:
            raise PgrobotError(f"{self.spec.name} takes actions {wanted}, got {action.shape}.")

    def check_saved(self, kind: str, numbers: str, saved: torch.Tensor, own: np.ndarray) -> None:
        """Refuse a state of another kind or number of environments.

        Args:
            kind: what was saved, ``"worlds"``.
            numbers: what is said of a shape ``{}``, ``"they hold {} numbers"``.
            saved: a tensor of the state.
            own: what it shall replace.

        Raises:
            PgrobotError: their shapes differ.
        """
        if tuple(saved.shape) != own.shape:
            raise PgrobotError(
                f"the saved {kind} do not fit {self.spec.name} with num_envs={self.spec.num_envs}: "
                f"{numbers.format(tuple(saved.shape))} instead of {own.shape}."
            )
