"""Functions of a user's own that a config adds to a robot: reward terms, observations and terminations.

::

    task:
      rewards: {energy: {_target_: my_robots.own.energy, weight: -0.01, power: 2.0}}
      observations: {height: {_target_: my_robots.own.height, body: torso}}
      terminations: {tipped: {_target_: my_robots.own.tipped, angle: 0.5}}

Each is a function of a ``Simulation`` and of the parameters beside its name. It is called after every step, for all
``N`` simulations at once, and remembers nothing; what the robot remembers it reads by ``simulation.memory(name)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np

from pgrobot.ranges import Function, Keys, finite
from pgrobot.simulation.simulation import Simulation


class RewardFunction(Protocol):
    """What a step earns in each simulation ``[N]``, before the weight; is given the action ``[N, A]`` if it asks."""

    def __call__(self, simulation: Simulation, *, action: np.ndarray = ...) -> np.ndarray: ...


class ObservationFunction(Protocol):
    """What is observed of each simulation, ``[N, D]``."""

    def __call__(self, simulation: Simulation) -> np.ndarray: ...


class TerminationFunction(Protocol):
    """Which simulations end for good, ``[N]`` bool."""

    def __call__(self, simulation: Simulation) -> np.ndarray: ...


@dataclass(frozen=True)
class RewardTerm:
    """One more term of the reward: ``weight`` times what the function returns.

    Attributes:
        function: a ``RewardFunction``, its own parameters bound.
        weight: of either sign; 0 earns nothing.
    """

    function: Callable[..., Any]
    weight: Annotated[float, finite]


@dataclass(frozen=True)
class ObservedEntries:
    """More entries of an observation group, named ``<name>/0``, ``<name>/1``, and so on.

    Attributes:
        function: an ``ObservationFunction``, its own parameters bound.
        group: to which they are appended; one that the robot does not have is a new one, for ``policy.groups`` or
            ``critic.groups``.
    """

    function: Callable[..., Any]
    group: str = "policy"


@dataclass(frozen=True)
class Termination:
    """One more reason for which an episode ends for good.

    Attributes:
        function: a ``TerminationFunction``, its own parameters bound.
    """

    function: Callable[..., Any]


Rewards = Annotated[
    Mapping[str, Annotated[RewardTerm, Function("_target_", RewardFunction)]], Keys("energy._target_")
]
Observations = Annotated[
    Mapping[str, Annotated[ObservedEntries, Function("_target_", ObservationFunction)]],
    Keys("height._target_"),
]
Terminations = Annotated[
    Mapping[str, Annotated[Termination, Function("_target_", TerminationFunction)]], Keys("tipped._target_")
]
