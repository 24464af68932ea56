"""An environment around another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation.results import shown_result, words_of
from pgrobot.types import Environment, Observation, State, Step

Wrapper = Callable[..., Any]  # of an environment, and of randoms if it asks for them


class WrappedEnvironment:
    """An environment that is the one it wraps but for what a class derived from it overrides.

    One that shows or takes something else gives itself another ``spec``. What ``step`` returns is the wrapped
    environment's own until its next step: change copies, by ``dataclasses.replace``. What a wrapper remembers it hands
    out and takes back by ``own_state`` and ``load_own_state``, and it is saved beside the wrapped environment's.

    A trained policy that acts elsewhere acts without it, as is right for noise and delays. One that makes what policies
    read, such as a history, ``travels``: it has a class method ``carried`` (see ``pgrobot.deploy.Travelling``).

    Args:
        environment: the one to wrap.

    Attributes:
        environment: as given.
        spec: that of the environment.
        travels: whether a trained policy takes it along.
    """

    travels: ClassVar[bool] = False

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.spec = environment.spec

    def reset(self) -> Observation:
        """Start a new episode everywhere; the streams go on."""
        return self.environment.reset()

    def restart(self, ids: np.ndarray) -> Observation:
        """Start a new episode in environments ``ids`` (sorted) and return what all ``N`` observe."""
        return self.environment.restart(ids)

    def step(self, action: np.ndarray) -> Step:
        """Advance by one action ``[N, A]``, in the units of the action space, and begin anew where an episode ended."""
        return self.environment.step(action)

    def own_state(self) -> State:
        """What the wrapper itself needs to go on exactly, in copies; nothing by default."""
        return {}

    def load_own_state(self, state: State) -> None:
        """Take back what ``own_state`` handed out."""

    def state_dict(self) -> State:
        """Everything a bit-exact continuation needs: the wrapped environment's, and its own.

        Raises:
            PgrobotError: ``own_state`` returns something else than a dict.
        """
        own = self.own_state()
        if not isinstance(own, Mapping):
            raise PgrobotError(
                f"{words_of(type(self).own_state)} has to return a dict of what it remembers, but returned "
                f"{shown_result(own)}: a resumed run would go on as another."
            )
        return {"wrapped": self.environment.state_dict(), "own": dict(own)}

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state_dict``."""
        self.environment.load_state_dict(state["wrapped"])
        self.load_own_state(state["own"])

    def close(self) -> None:
        """Release what the wrapped environment holds."""
        self.environment.close()
