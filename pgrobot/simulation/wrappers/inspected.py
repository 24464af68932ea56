"""Wrappers in order, each held to the contract of an environment by its own name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pgrobot.simulation.contract import check_ends, check_environment, check_observation, check_step
from pgrobot.simulation.wrappers.wrapped import WrappedEnvironment, Wrapper
from pgrobot.types import Environment, Observation, State, Step


def wrapped(environment: Environment, wrappers: Mapping[str, Wrapper]) -> Environment:
    """The environment in its wrappers, the first one innermost; without any it is the environment itself.

    Its spec names those that a trained policy leaves behind.

    Raises:
        PgrobotError: a wrapper makes no environment; names the wrapper. So does every later call of one that returns
            something else than its spec says.
    """
    layers = InspectedEnvironment(environment, environment.spec.name) if wrappers else environment
    left_behind: list[str] = []
    for name, wrap in wrappers.items():
        made = check_environment(f"wrapper.{name}", wrap(layers))
        layers = InspectedEnvironment(made, f"wrapper.{name} around {environment.spec.name}")
        if not getattr(made, "travels", False):
            left_behind.append(name)
    if left_behind:
        layers.spec = replace(layers.spec, left_behind=tuple(left_behind))
    return layers


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
    """

    def __init__(self, environment: Environment, name: str) -> None:
        super().__init__(environment)
        self._name = name

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
        return self.environment.state_dict()

    def load_state_dict(self, state: State) -> None:
        self.environment.load_state_dict(state)
