"""What a config adds to a robot, as its environment calls it: whatever it returns is checked, and copied."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.signatures import takes
from pgrobot.simulation.contract import RESERVED
from pgrobot.simulation.results import array_of, truths_of, words_of
from pgrobot.simulation.simulation import Simulation
from pgrobot.types import ObservationGroup

if TYPE_CHECKING:
    from pgrobot.simulation.task import Robot

LARGEST = float(np.finfo(np.float32).max)  # rollouts are in float32
Observed = dict[str, np.ndarray]


class Added:
    """The functions that were added to one robot, on one set of ``N`` simulations.

    Args:
        robot: has them as ``rewards``, ``observations`` and ``terminations``.
        simulation: what they read.
        reward_terms: names of the robot's own.
        groups: the observation groups of its own.

    Attributes:
        reward_terms: names of the added ones.
        groups: the robot's observation groups with what is added to them.
        any: whether there is anything.

    Raises:
        PgrobotError: a name is taken, or a function cannot be called or returns another shape than it has to; names it.
    """

    def __init__(
        self,
        robot: Robot,
        simulation: Simulation,
        reward_terms: tuple[str, ...],
        groups: Mapping[str, ObservationGroup],
    ) -> None:
        self._simulation, self._num_envs = simulation, simulation.num_envs
        self._rewards, self._observations = robot.rewards, robot.observations
        self._terminations = robot.terminations
        self.any = bool(self._rewards or self._observations or self._terminations)
        self.reward_terms = tuple(self._rewards)
        taken = [name for name in self._rewards if name in reward_terms]
        if taken:
            raise PgrobotError(
                f"task.rewards.{taken[0]}: {robot.title} has a reward term {taken[0]!r} of its own, beside "
                f"{', '.join(name for name in reward_terms if name != taken[0]) or 'no other'}: choose another name."
            )
        if robot.ending in self._terminations:
            raise PgrobotError(
                f"task.terminations.{robot.ending}: {robot.title} has a termination {robot.ending!r} of its own: "
                "choose another name."
            )
        self._asks = {name: takes(term.function, "action") for name, term in self._rewards.items()}
        for kind, parts in (
            ("rewards", self._rewards),
            ("observations", self._observations),
            ("terminations", self._terminations),
        ):
            for name, part in parts.items():
                given = {"action": simulation.ctrl} if kind == "rewards" and self._asks[name] else {}
                _check_call(f"task.{kind}.{name}", part.function, given)
        self._columns: dict[str, slice] = {}  # of an added observation in its group
        self.groups = self._joined(groups)

    def rewards(self, action: np.ndarray) -> tuple[np.ndarray, ...]:
        """The added reward terms of the last step with their weights, ``[N]`` each."""
        earned = []
        for name, term in self._rewards.items():
            given = {"action": action} if self._asks[name] else {}
            found = term.function(self._simulation, **given)
            source = _source("rewards", name, term.function)
            earned.append(term.weight * array_of(source, found, (self._num_envs,)))
        return tuple(earned)

    def endings(self) -> dict[str, np.ndarray]:
        """Which simulations each added termination ends, ``[N]`` bool."""
        return {
            name: truths_of(
                _source("terminations", name, part.function), part.function(self._simulation), self._num_envs
            )
            for name, part in self._terminations.items()
        }

    def joined(self, own: Observed) -> Observed:
        """The robot's own observation groups with what is added to them, ``[N, D]`` each."""
        if not self._observations:
            return own
        parts = {group: [array] for group, array in own.items()}
        for name, part in self._observations.items():
            columns = self._columns[name]
            shape = (self._num_envs, columns.stop - columns.start)
            source = _source("observations", name, part.function)
            found = array_of(source, part.function(self._simulation), shape)
            parts.setdefault(part.group, []).append(found)
        return {
            group: arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)
            for group, arrays in parts.items()
        }

    def check_observed(self, observed: Mapping[str, np.ndarray]) -> None:
        """Refuse added observations that are no numbers.

        Raises:
            PgrobotError: names the function and the simulation.
        """
        for name, part in self._observations.items():
            found = observed[part.group][:, self._columns[name]]
            _check_finite(_source("observations", name, part.function), found)

    def check_earned(self, earned: np.ndarray) -> None:
        """Refuse added reward terms ``[N, R]`` that are no numbers; raises as ``check_observed`` does."""
        for column, (name, term) in zip(earned.T, self._rewards.items(), strict=True):
            source = _source("rewards", name, term.function)
            if np.isfinite(column).all() and (np.abs(column) > LARGEST).any():
                raise PgrobotError(
                    f"{source}, with its weight {term.weight:g}, is {column[np.abs(column).argmax()]:g}, which is too "
                    f"large for a float32: at most {LARGEST:g}."
                )
            _check_finite(source, column[:, None])

    def _joined(self, groups: Mapping[str, ObservationGroup]) -> dict[str, ObservationGroup]:
        """The groups with the names of what is added, after one call of each function for its width."""
        names = {group: list(own.names) for group, own in groups.items()}
        for name, part in self._observations.items():
            if part.group == RESERVED:
                raise PgrobotError(
                    f"task.observations.{name}.group is {RESERVED!r}, which pgrobot adds itself: choose another name."
                )
            source = _source("observations", name, part.function)
            found = array_of(source, part.function(self._simulation), (self._num_envs, -1))
            if not found.shape[1]:
                raise PgrobotError(f"{source} returns nothing: it is {found.shape}.")
            entries = names.setdefault(part.group, [])
            more = [f"{name}/{i}" for i in range(found.shape[1])]
            twice = [entry for entry in more if entry in entries]
            if twice:
                raise PgrobotError(
                    f"task.observations.{name}: an entry {twice[0]!r} is in the group {part.group!r} already: choose "
                    "another name."
                )
            self._columns[name] = slice(len(entries), len(entries) + len(more))
            entries += more
        return {
            group: ObservationGroup(tuple(all_), (len(all_),), "float64") for group, all_ in names.items()
        }


def _check_call(path: str, function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Refuse a function that cannot be called with a simulation and what it asks for."""
    try:
        signature = inspect.signature(function)
        signature.bind(None, **given)
    except ValueError:
        return  # written in C: nothing is known of it
    except TypeError as error:
        raise PgrobotError(
            f"{path}: {words_of(function)} cannot be called with a simulation: {error}."
        ) from error


def _source(kind: str, name: str, function: Callable[..., Any]) -> str:
    return f"{words_of(function)} of task.{kind}.{name}"


def _check_finite(source: str, found: np.ndarray) -> None:
    if not np.isfinite(found).all():
        i, entry = np.argwhere(~np.isfinite(found))[0]
        raise PgrobotError(
            f"{source} has to return finite numbers, but returned {found[i, entry]} for simulation {i}."
        )
