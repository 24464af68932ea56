"""What varies in N simulations: their models, and what pushes them. Drawn, shown, and saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import torch

from pgrobot.simulation.batch import Physics
from pgrobot.simulation.variation.drawn import DrawnModels
from pgrobot.simulation.variation.entry import Entry, entry_of
from pgrobot.simulation.variation.push import Push, is_push, push_of
from pgrobot.simulation.variation.pushes import Pushes
from pgrobot.simulation.variation.schedule import Curriculum
from pgrobot.types import ObservationGroup, State

PRIVILEGED = "privileged"  # the observation group of what was drawn
TELEMETRY = "variation/"  # begins the telemetry of an entry: what was drawn of it [N, k]
STRENGTH = "/strength"  # ends that of the strength of its schedule [N, 1]


class Strength(Enum):
    """How much of their ranges the entries are drawn from."""

    SCHEDULED = "as training goes on"
    FULL = "all of it"
    NOMINAL = "none of it: the model as it is"


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall vary.

    Attributes:
        entries: of the model, by name.
        pushes: by name.
        strength: how much.
    """

    entries: Mapping[str, Entry]
    pushes: Mapping[str, Push]
    strength: Strength

    @property
    def names(self) -> tuple[str, ...]:
        """Of all that varies."""
        return (*self.entries, *self.pushes)


NOTHING = Plan({}, {}, Strength.FULL)


def plan_of(nodes: Mapping[str, Any], strength: Strength) -> Plan:
    """The plan that checked nodes say."""
    named = {str(name): node for name, node in nodes.items()}
    return Plan(
        {name: entry_of(node) for name, node in named.items() if not is_push(node)},
        {name: push_of(node) for name, node in named.items() if is_push(node)},
        strength,
    )


class Variation:
    """What varies in ``N`` simulations.

    Args:
        plan: what shall vary.
        physics: of the simulations.
        seed: of the streams that it is drawn from.

    Attributes:
        any: whether something does.
        pushes: whether something pushes.

    Raises:
        PgrobotError: an entry does not fit the model.
    """

    def __init__(self, plan: Plan, physics: Physics, seed: int) -> None:
        num_envs = len(physics.state)
        self.any, self.pushes = bool(plan.names), bool(plan.pushes)
        if not self.any:
            return
        parts: tuple[DrawnModels | Pushes, ...] = ()
        schedules = [each.schedule for each in plan.entries.values()]
        schedules += [each.schedule for each in plan.pushes.values()]
        if plan.entries:
            parts += (DrawnModels(plan.entries, physics.models, num_envs, seed),)
        if plan.pushes:
            self._pushes = Pushes(plan.pushes, physics, seed)
            parts += (self._pushes,)
        self._parts = parts
        self._names = tuple(name for part in parts for name in part.names)
        counts = [count for count in (len(plan.entries), len(plan.pushes)) if count]
        ends = np.cumsum(counts).tolist()
        self._own = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
        self._curriculum = Curriculum(schedules, num_envs)
        self._moves = plan.strength is Strength.SCHEDULED and self._curriculum.moves
        self._scheduled = {
            name: e for e, (name, each) in enumerate(zip(plan.names, schedules, strict=True)) if each.moves
        }
        whole = plan.strength is not Strength.NOMINAL and not self._moves  # all of it, always
        self._strength = np.full((num_envs, len(plan.names)), float(whole))

    def begin(self, ids: np.ndarray) -> None:
        """Draw what the episodes that begin in environments ``ids`` (sorted) meet."""
        if self._moves:
            self._strength[ids] = self._curriculum.strength(ids)
        for part, own in zip(self._parts, self._own, strict=True):
            part.begin(ids, self._strength[ids, own])

    def act(self) -> None:
        """Push, in the step that follows, where it is time to."""
        if self.pushes:
            self._pushes.act()

    def rest(self) -> None:
        """The step is over."""
        if self.pushes:
            self._pushes.rest()

    def count(self, reward: np.ndarray, ended: np.ndarray, broken: np.ndarray) -> None:
        """Count a step, as of ``Curriculum.count``."""
        if self._moves:
            self._curriculum.count(reward, ended, broken)

    def shown(self) -> np.ndarray:
        """What was drawn for the running episodes ``[N, K]``, never overwritten: factors, amounts or values."""
        if len(self._parts) == 1:
            return self._parts[0].shown
        return np.concatenate([part.shown for part in self._parts], axis=1)

    def telemetry(self) -> dict[str, np.ndarray]:
        """The same by entry, ``[N, k]`` each, in copies, and the strengths of those that have a schedule."""
        told = {
            f"{TELEMETRY}{name}": value.copy()
            for part in self._parts
            for name, value in part.telemetry().items()
        }
        if self._moves:
            told |= {
                f"{TELEMETRY}{name}{STRENGTH}": self._strength[:, [e]] for name, e in self._scheduled.items()
            }
        return told

    def groups(self, groups: Mapping[str, ObservationGroup]) -> dict[str, ObservationGroup]:
        """Observation groups with ``privileged``, to which what is drawn is appended."""
        if not self.any:
            return dict(groups)
        own = groups[PRIVILEGED].names if PRIVILEGED in groups else ()
        names = (*own, *self._names)
        return {**groups, PRIVILEGED: ObservationGroup(names, (len(names),), "float64")}

    def joined(self, observed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Observations with that group."""
        if not self.any:
            return observed
        own, shown = observed.get(PRIVILEGED), self.shown().copy()
        return {**observed, PRIVILEGED: shown if own is None else np.concatenate((own, shown), axis=1)}

    def state_dict(self) -> State:
        """What was drawn, how strongly, the streams, and where the schedules are."""
        state: State = {
            "strength": torch.from_numpy(self._strength.copy()),
            "curriculum": self._curriculum.state_dict(),
        }
        for part in self._parts:
            state |= {"pushes": part.state_dict()} if isinstance(part, Pushes) else part.state_dict()
        return state

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``, with the models that it had."""
        self._strength[:] = state["strength"].numpy()
        self._curriculum.load_state_dict(state["curriculum"])
        for part, own in zip(self._parts, self._own, strict=True):
            part.load_state_dict(
                state["pushes"] if isinstance(part, Pushes) else state, self._strength[:, own]
            )
