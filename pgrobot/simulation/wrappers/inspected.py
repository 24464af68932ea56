"""Wrappers in order, each held to the contract of an environment by its own name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.randomness import component_seed
from pgrobot.signatures import takes
from pgrobot.simulation.auto_reset import streams
from pgrobot.simulation.contract import check_ends, check_environment, check_observation, check_step
from pgrobot.simulation.wrappers.wrapped import WrappedEnvironment, Wrapper
from pgrobot.types import Environment, Observation, State, Step

NOTHING: Mapping[str, Any] = MappingProxyType({})


def wrapped(
    environment: Environment, wrappers: Mapping[str, Wrapper], seed: int, told: Mapping[str, Any] = NOTHING
) -> Environment:
    """The environment in its wrappers, the first one innermost; without any it is the environment itself.

    Its spec names those that a trained policy leaves behind.

    Args:
        environment: what they are around.
        wrappers: by name; one with a parameter ``randoms`` is given a random stream for each environment, which do not
            depend on how many there are and are saved and restored with the environment.
        seed: of those streams.
        told: what else a wrapper is given that has a parameter of such a name.

    Raises:
        PgrobotError: a wrapper makes no environment, or one that cannot begin single episodes; names the wrapper. So
            does every later call of one that returns something else than its spec says.
    """
    layers = InspectedEnvironment(environment, environment.spec.name, ()) if wrappers else environment
    left_behind: list[str] = []
    for name, wrap in wrappers.items():
        given = {word: value for word, value in told.items() if _asks(wrap, word)}
        asks = _asks(wrap, "randoms")
        randoms = streams(component_seed(seed, f"wrapper/{name}"), environment.spec.num_envs) if asks else ()
        given |= {"randoms": randoms} if asks else {}
        made = check_environment(f"wrapper.{name}", wrap(layers, **given))
        if hasattr(environment, "restart") and not hasattr(made, "restart"):
            raise PgrobotError(
                f"wrapper.{name} makes an environment without restart(ids), by which training begins new episodes in "
                "some environments: derive it from pgrobot.simulation.wrappers.WrappedEnvironment, or hand the call on."
            )
        layers = InspectedEnvironment(made, f"wrapper.{name} around {environment.spec.name}", randoms)
        if not getattr(made, "travels", False):
            left_behind.append(name)
    if left_behind:
        layers.spec = replace(layers.spec, left_behind=tuple(left_behind))
    return layers


def _asks(wrap: Wrapper, word: str) -> bool:
    """Whether a wrapper has a parameter that its config does not fill."""
    return takes(wrap, word) and word not in getattr(wrap, "keywords", {})


def innermost(environment: Environment) -> Environment:
    """What all the wrappers of an environment are around, where they tell."""
    while isinstance(environment, WrappedEnvironment):
        environment = environment.environment
    return environment


class InspectedEnvironment(WrappedEnvironment):
    """An environment of which every answer is checked, so that the layer that is wrong is the one that is named.

    Args:
        environment: whose answers are checked.
        name: what it is called in a message.
        randoms: random streams that it was given.
    """

    def __init__(self, environment: Environment, name: str, randoms: Sequence[np.random.Generator]) -> None:
        super().__init__(environment)
        self._name, self._randoms = name, randoms

    def reset(self) -> Observation:
        obs = self.environment.reset()
        check_observation(self.spec, "the first observation", obs, self._name)
        return obs

    def restart(self, ids: np.ndarray) -> Observation:
        obs = self.environment.restart(ids)
        check_observation(self.spec, "what restart(ids) returned", obs, self._name)
        return obs

    def step(self, action: np.ndarray) -> Step:
        step = self.environment.step(action)
        check_step(self.spec, step, self._name)
        if (step.terminated | step.truncated).any():
            check_ends(self.spec, step, self._name)
        return step

    def state_dict(self) -> State:
        """The environment's as it is, or that with the random streams that it was given."""
        state = self.environment.state_dict()
        randoms = [random.bit_generator.state for random in self._randoms]
        return {"environment": state, "randoms": randoms} if randoms else state

    def load_state_dict(self, state: State) -> None:
        self.environment.load_state_dict(state["environment"] if self._randoms else state)
        for random, saved in zip(self._randoms, state["randoms"] if self._randoms else (), strict=True):
            random.bit_generator.state = saved
