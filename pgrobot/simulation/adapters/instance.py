"""One environment of another library: what it answers is checked, so that nothing is broadcast or cut off silently."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from pgrobot.errors import PgrobotError, in_a_sentence
from pgrobot.simulation.adapters.actions import ActionSpace, as_action
from pgrobot.simulation.adapters.spaces import rows
from pgrobot.simulation.results import NUMBERS, as_array, shown_result

RESET = "reset(seed=…, options=…) -> (observation, info)"
GYMNASIUM = (__name__, "gymnasium.core", "gymnasium.wrappers", "gymnasium.utils.passive_env_checker")
STEP = "step(action) -> (observation, reward, terminated, truncated, info)"


class Answer(NamedTuple):
    """What a step told."""

    observation: dict[str, np.ndarray]  # by group: numbers [D] float64, images
    reward: float
    terminated: bool
    truncated: bool
    info: Mapping[str, Any]


class Instance:
    """A Gymnasium environment whose answers are those that its interface and its spaces declare.

    Args:
        name: what users call it.
        environment: the environment.
        observation: the space that it has to observe.
        action: the space of its actions.
    """

    def __init__(
        self,
        name: str,
        environment: gymnasium.Env,
        observation: gymnasium.Space,
        action: ActionSpace,
    ) -> None:
        self.environment = environment
        self._name, self._observation, self._action = name, observation, action

    def reset(self, seed: int) -> dict[str, np.ndarray]:
        """Start an episode: its first observation, by group.

        Raises:
            PgrobotError: it does not keep to Gymnasium's interface, or observes something else than it declares.
        """
        found = self._called(RESET, lambda: self.environment.reset(seed=seed))
        if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[1], Mapping):
            raise self._not_the_interface(RESET, f"it returned {shown_result(found)}")
        observation = rows(self._name, self._observation, found[0])
        if not all(np.isfinite(row).all() for row in observation.values()):
            raise PgrobotError(f"{self._name} begins an episode with an observation that is not finite.")
        return observation

    def step(self, action: np.ndarray) -> Answer:
        """Advance by an action ``[A]`` float64; raises as ``reset`` does."""
        sent = as_action(self._action, action)
        found = self._called(STEP, lambda: self.environment.step(sent))
        if not isinstance(found, tuple) or len(found) != 5:
            raise self._not_the_interface(STEP, f"it returned {shown_result(found)}")
        observation, reward, terminated, truncated, info = found
        if not isinstance(info, Mapping):
            raise self._not_the_interface(STEP, f"info is {shown_result(info)}")
        return Answer(
            rows(self._name, self._observation, observation),
            number(f"the reward of {self._name}", reward),
            self._truth("terminated", terminated),
            self._truth("truncated", truncated),
            info,
        )

    def _called(self, interface: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            # Raised by who called it, not in its own code: its signature or what it returned does not fit.
            if raised_in(error, GYMNASIUM):
                raise self._not_the_interface(interface, in_a_sentence(error)) from error
            raise

    def _truth(self, what: str, found: Any) -> bool:
        array = as_array(found)
        if array.size == 1 and array.dtype.kind in "biu":
            return bool(array.item())
        raise self._not_the_interface(STEP, f"{what} is {shown_result(found)}")

    def _not_the_interface(self, interface: str, why: str) -> PgrobotError:
        return PgrobotError(f"{self._name} does not keep to Gymnasium's {interface}: {why}.")


def raised_in(error: BaseException, modules: tuple[str, ...]) -> bool:
    """Whether the line that raised an error lies in one of the modules or in a part of one."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    place = f"{frame.f_globals.get('__name__', '')}."
    return any(place.startswith(f"{module}.") for module in modules)


def number(owner: str, found: Any) -> float:
    """A number, which may stand alone in an array.

    Raises:
        PgrobotError: it is something else.
    """
    if type(found) is float:
        return found
    array = as_array(found)
    if array.size == 1 and array.dtype.kind in NUMBERS:
        return float(array.item())
    raise PgrobotError(f"{owner} has to be a number, not {shown_result(found)}.")
