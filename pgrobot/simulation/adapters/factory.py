"""Environments that a function of the user's makes, as a task."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.wrappers import TimeLimit

from pgrobot.errors import PgrobotError, in_a_sentence, shown
from pgrobot.simulation.adapters.gymnasium import serial
from pgrobot.simulation.adapters.serial import SerialEnvironment
from pgrobot.simulation.costs import Cost

REMEDY = 'task={"max_episode_steps": 1000}'


class Factory:
    """Calls a function, and takes nothing from it but a new environment every time.

    Args:
        name: what users call it.
        function: takes nothing and returns a ``gymnasium.Env``.
    """

    def __init__(self, name: str, function: Callable[[], Any]) -> None:
        self._name = name
        self._function = function
        self._made: list[weakref.ref[Any]] = []

    def __call__(self) -> gymnasium.Env:
        """Another environment.

        Raises:
            PgrobotError: the function raised, or returned something else, or one that it had returned before.
        """
        try:
            made = self._function()
        except PgrobotError:
            raise
        except Exception as error:
            raise PgrobotError(f"{self._name} raised {in_a_sentence(error)}") from error
        if not isinstance(made, gymnasium.Env):
            raise PgrobotError(f"{self._name} returned {described(made)}, and has to return a gymnasium.Env")
        inner = made.unwrapped
        self._made = [known for known in self._made if known() is not None]
        if any(known() is inner for known in self._made):
            raise PgrobotError(
                f"{self._name} returned the same environment twice: it has to build a new one at every call"
            )
        self._made.append(weakref.ref(inner))
        return made


class Lent(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that belongs to the user, who closes it."""

    @property
    def spec(self) -> EnvSpec | None:  # type: ignore[override]  # as in Gymnasium's own wrappers
        return self.env.spec

    def close(self) -> None:
        """Leave it open."""


@dataclass(frozen=True)
class FactoryTask:
    """Environments that are built by a call.

    Attributes:
        name: what users call them.
        build: builds one.
        max_episode_steps: where episodes are truncated; 0: where they are by themselves.
    """

    name: str
    build: Callable[[], gymnasium.Env]
    max_episode_steps: int

    def make(self, num_envs: int, costs: Mapping[str, Cost], seed: int, threads: int) -> SerialEnvironment:
        """Build ``num_envs`` instances; they are stepped in turn, so ``threads`` is of no consequence.

        Raises:
            PgrobotError: one cannot be built or trained.
        """
        return serial(self.name, self._limited, num_envs, costs, seed, REMEDY)

    def _limited(self) -> gymnasium.Env:
        made = self.build()
        return TimeLimit(made, self.max_episode_steps) if self.max_episode_steps else made


def described(found: Any) -> str:
    """What a thing is that should have been an environment or a factory of them."""
    if hasattr(found, "num_envs"):
        return f"a {type(found).__name__}, which is several environments, and pgrobot steps num_envs of them itself"
    return shown(found)
