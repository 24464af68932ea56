"""A robot's functions and costs as its environment calls them: whatever they return is checked, and copied.

They are written by users. A result of another shape would be broadcast, and a view of the simulation's memory, or a
buffer that is filled anew at every call, would change what was handed on before.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.signatures import takes
from pgrobot.simulation.added import Added
from pgrobot.simulation.contract import RESERVED
from pgrobot.simulation.costs import BoundCost, Cost, counts, highest
from pgrobot.simulation.memory import Memory
from pgrobot.simulation.model import distinct
from pgrobot.simulation.read_only import unwritten
from pgrobot.simulation.results import array_of, check_signature, names_of, shown_result, truths_of, words_of
from pgrobot.simulation.simulation import Simulation
from pgrobot.simulation.starts import Starts, Streams, checked_starts
from pgrobot.types import ObservationGroup

if TYPE_CHECKING:
    from pgrobot.simulation.task import Robot

SUMMARIES = ("mean", "budget")  # what metrics say of a cost as a whole, beside its parts
BOUND = ("parts", "__call__", "reset", "state_dict", "load_state_dict")


class Behaviour:
    """What one robot and its costs do with one set of ``N`` simulations.

    Args:
        robot: its functions.
        simulation: what they read.
        costs: those of the constraints, by name.

    Attributes:
        added: what the config adds to the robot.
        reward_terms: ``R`` names, the robot's own first.
        parts: of every cost, by constraint; each with a name of its own.
        highest: the most that each can charge in a step, all parts together.
        counted: those of which every part adds 1 or nothing.
        groups: the observation groups.
        memory: what the robot remembers.
        lacks_forces: whether something reads what MuJoCo computes on request, and the physics does not ask it to.

    Raises:
        PgrobotError: a function cannot be called as it is, or returns something else than it has to; names it.
    """

    def __init__(self, robot: Robot, simulation: Simulation, costs: Mapping[str, Cost]) -> None:
        self._robot, self._simulation, self._num_envs = robot, simulation, simulation.num_envs
        for method, arguments in (
            (robot.observation, 1),
            (robot.observation_names, 1),
            (robot.terms, 2),
            (robot.terminated, 1),
            (robot.reward_state, 1),
            (robot.initial_state, 2),
            (robot.initial_states, 3),
            (robot.memory, 1),
            (robot.remembered, 2),
            (robot.due, 1),
            (robot.redrawn, 3),
            (robot.measured, 1),
            (robot.total, 1),
        ):
            check_signature(method, arguments)
        self.memory = Memory(robot, simulation)
        self._own_terms = _distinct(
            f"{words_of(type(robot))}.reward_terms", robot.reward_terms, fewest=0 if robot.rewards else 1
        )
        self._marks = array_of(robot.reward_state, robot.reward_state(simulation), (self._num_envs, -1)).shape
        simulation.before = simulation.after = unwritten(self.reward_state())
        self._costs = {name: _bound(name, cost, simulation) for name, cost in costs.items()}
        self._owners = {
            name: f"{words_of(type(cost))} of constraint {name!r}" for name, cost in costs.items()
        }
        self.parts = {
            name: distinct(names_of(f"What {self._owners[name]} calls 'parts'", cost.parts), SUMMARIES)
            for name, cost in self._costs.items()
        }
        self.highest = {name: _highest(self._owners[name], cost) for name, cost in self._costs.items()}
        self.counted = tuple(name for name, cost in self._costs.items() if counts(cost))
        # Each is called once here, so that the fields it reads are bound before the first reset.
        self._widths = self._checked_widths(robot.observation(simulation))
        self.added = Added(
            robot, simulation, self._own_terms, self._named(robot.observation_names(simulation))
        )
        self.groups, self.reward_terms = self.added.groups, (*self._own_terms, *self.added.reward_terms)
        self.total(self.terms(simulation.ctrl))
        self.terminated()
        self.violations()
        self.measured()
        self.lacks_forces = simulation.batch.asked_in_vain

    def observation(self) -> dict[str, np.ndarray]:
        """Observation groups, ``[N, D]`` float64 each."""
        found = self._robot.observation(self._simulation)
        if not isinstance(found, Mapping) or found.keys() != self._widths.keys():
            raise PgrobotError(
                f"{words_of(self._robot.observation)} has to return the groups {', '.join(self._widths)} "
                f"at every step, but returned {shown_result(found)}."
            )
        method = self._robot.observation
        own = {
            group: array_of(method, found[group], (self._num_envs, width), group)
            for group, width in self._widths.items()
        }
        return self.added.joined(own)

    def terms(self, action: np.ndarray) -> tuple[np.ndarray, ...]:
        """The reward terms of the last step, R arrays ``[N]``."""
        found = self._robot.terms(self._simulation, action)
        method, count = self._robot.terms, len(self._own_terms)
        if not isinstance(found, tuple | list) or len(found) != count:
            raise PgrobotError(
                f"{words_of(method)} has to return a tuple of {count}, one [N] array for each of reward_terms "
                f"({', '.join(self._own_terms)}), but returned {shown_result(found)}."
            )
        own = tuple(
            array_of(method, term, (self._num_envs,), name)
            for name, term in zip(self._own_terms, found, strict=True)
        )
        return own + self.added.rewards(action)

    def total(self, terms: tuple[np.ndarray, ...]) -> np.ndarray:
        """The reward ``[N]``: what the robot makes of its own terms, and then the added ones."""
        own, added = terms[: len(self._own_terms)], terms[len(self._own_terms) :]
        if not own:  # a robot whose terms are all added
            return sum(added, start=np.zeros(self._num_envs))
        return sum(added, start=array_of(self._robot.total, self._robot.total(own), (self._num_envs,)))

    def terminated(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Which simulations ended for good, ``[N]`` bool, and which of them each reason that has a name ended."""
        found = self._robot.terminated(self._simulation)
        own = truths_of(self._robot.terminated, found, self._num_envs)
        endings = self.added.endings()
        named = {self._robot.ending: own} if self._robot.ending else {}
        return reduce(np.logical_or, endings.values(), own), named | endings

    def check_finite(self, observed: Mapping[str, np.ndarray], terms: np.ndarray) -> None:
        """Refuse what added functions returned, in observations and in terms ``[N, R]``, where it is no number.

        Raises:
            PgrobotError: names the function and the simulation.
        """
        self.added.check_observed(observed)
        self.added.check_earned(terms[:, len(self._own_terms) :])

    def reward_state(self) -> np.ndarray:
        """What the reward compares before and after a step, ``[N, M]``."""
        return array_of(self._robot.reward_state, self._robot.reward_state(self._simulation), self._marks)

    def violations(self) -> dict[str, np.ndarray]:
        """Amounts of the last step by constraint, ``[N, J]`` each."""
        return {
            name: array_of(self._owners[name], cost(), (self._num_envs, len(self.parts[name])))
            for name, cost in self._costs.items()
        }

    def measured(self) -> dict[str, np.ndarray]:
        """What the robot measures beside, ``[N]`` by name."""
        method = self._robot.measured
        found = method(self._simulation)
        return {name: array_of(method, value, (self._num_envs,), name) for name, value in found.items()}

    def starts(self, ids: np.ndarray, randoms: Streams) -> Starts:
        """Draw the starts of the episodes that begin in simulations ``ids``."""
        method = self._robot.initial_states
        return checked_starts(method, method(self._simulation, ids, randoms), self._simulation, len(ids))

    @property
    def draws(self) -> Callable[..., Any]:
        """The robot's function that draws starts, for messages."""
        many = _defined(self._robot, "initial_states") <= _defined(self._robot, "initial_state")
        return self._robot.initial_states if many else self._robot.initial_state

    def forget(self, ids: np.ndarray) -> None:
        """Tell the costs that simulations ``ids`` start a new episode."""
        for cost in self._costs.values():
            cost.reset(ids)

    def state_dict(self) -> dict[str, Any]:
        """What the costs remember."""
        return {name: cost.state_dict() for name, cost in self._costs.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``."""
        for name, cost in self._costs.items():
            cost.load_state_dict(state[name])

    def _checked_widths(self, found: Any) -> dict[str, int]:
        method = self._robot.observation
        if not isinstance(found, Mapping):
            raise PgrobotError(
                f"{words_of(method)} has to return a dict of observation groups, such as {{'policy': array}}, but "
                f"returned {shown_result(found)}."
            )
        groups = names_of(f"What names the groups of {words_of(method)}", tuple(found))
        if "policy" not in groups:
            raise PgrobotError(
                f"{words_of(method)} has to return a group 'policy', which is what the policy sees: it returned "
                f"{', '.join(groups) or 'none'}."
            )
        if RESERVED in groups:
            raise PgrobotError(
                f"{words_of(method)} returns a group {RESERVED!r}, which pgrobot adds itself: choose another name."
            )
        arrays = {group: array_of(method, found[group], (self._num_envs, -1), group) for group in groups}
        empty = [group for group, array in arrays.items() if not array.shape[1]]
        if empty:
            raise PgrobotError(
                f"{words_of(method)} returns nothing as {empty[0]!r}: it is ({self._num_envs}, 0)."
            )
        return {group: array.shape[1] for group, array in arrays.items()}

    def _named(self, found: Any) -> dict[str, ObservationGroup]:
        method = self._robot.observation_names
        if _defined(self._robot, "observation") < _defined(self._robot, "observation_names"):
            found = {}  # the names are those of an observation that was overridden since
        if not isinstance(found, Mapping):
            raise PgrobotError(
                f"{words_of(method)} has to return a dict of names by observation group, such as "
                f"{{'policy': names}}, but returned {shown_result(found)}."
            )
        unknown = [group for group in found if group not in self._widths]
        if unknown:
            raise PgrobotError(
                f"{words_of(method)} names entries of {unknown[0]!r}, which is no observation group: "
                f"{nearest(str(unknown[0]), self._widths)}"
            )
        named = {
            group: _entry_names(method, group, names, self._widths[group]) for group, names in found.items()
        }
        return {
            group: ObservationGroup(named[group], (width,), "float64")
            if group in named
            else ObservationGroup.numbered(group, (width,))
            for group, width in self._widths.items()
        }


def _bound(name: str, cost: Cost, simulation: Simulation) -> BoundCost:
    if not callable(getattr(cost, "bind", None)):
        raise PgrobotError(f"constraint.{name}.cost is {shown_result(cost)}, which has no method 'bind'.")
    check_signature(cost.bind, 1)
    bind: Any = cost.bind
    bound: BoundCost = bind(simulation, name=name) if takes(bind, "name") else bind(simulation)
    missing = [part for part in BOUND if not hasattr(bound, part)]
    if missing:
        raise PgrobotError(
            f"{words_of(cost.bind)} has to return a bound cost, with {', '.join(BOUND)}, but returned "
            f"{shown_result(bound)}, which has no {missing[0]!r}."
        )
    check_signature(bound.__call__, 0)
    check_signature(bound.reset, 1)
    return bound


def _highest(owner: str, cost: BoundCost) -> float:
    try:
        value = highest(cost)
    except (TypeError, ValueError):
        value = math.nan
    if not value > 0.0:
        raise PgrobotError(f"What {owner} calls 'highest' has to be a number above 0.")
    return value


def _distinct(owner: str, found: Any, fewest: int) -> tuple[str, ...]:
    """Names that are logged and counted by."""
    names = names_of(owner, found)
    if len(names) < fewest or len(set(names)) < len(names):
        raise PgrobotError(f"{owner} has to be at least one name, and no name twice, not {names}.")
    return names


def _defined(robot: Robot, method: str) -> int:
    """How far up the classes of a robot the first is that defines a method; 0: its own."""
    return next(place for place, kind in enumerate(type(robot).__mro__) if method in vars(kind))


def _entry_names(method: Callable[..., Any], group: str, found: Any, width: int) -> tuple[str, ...]:
    """The names of all entries of a group, each another."""
    found = found.tolist() if isinstance(found, np.ndarray) else found
    names = names_of(f"What {words_of(method)} returns as {group!r}", found)
    if len(names) != width:
        raise PgrobotError(f"{words_of(method)} has {len(names)} names for the {width} entries of {group!r}.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise PgrobotError(f"{words_of(method)} calls two entries of {group!r} {twice[0]!r}.")
    return names
