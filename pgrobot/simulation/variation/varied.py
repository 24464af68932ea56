"""N simulations whose models vary: drawn at every episode's start, shown, and saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch

from pgrobot.randomness import component_seed
from pgrobot.simulation.auto_reset import streams
from pgrobot.simulation.models import Models
from pgrobot.simulation.variation.bounds import check_bounds
from pgrobot.simulation.variation.draws import Draws
from pgrobot.simulation.variation.entry import Entry
from pgrobot.simulation.variation.schedule import Curriculum
from pgrobot.simulation.variation.targets import check_apart, check_leaders, target_of
from pgrobot.simulation.variation.writing import Writer, between
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
        entries: by name.
        strength: how much.
    """

    entries: Mapping[str, Entry]
    strength: Strength


NOTHING = Plan({}, Strength.FULL)


class Variation:
    """What varies in ``N`` simulations.

    An environment draws each entry from a stream of its own: neither the start of its episodes nor another entry
    depends on it, nor on ``N``.

    Args:
        plan: what shall vary.
        models: of the simulations.
        num_envs: N.
        seed: of the streams.

    Attributes:
        any: whether something does.
        draws: names of what is drawn, ``K`` of them.

    Raises:
        PgrobotError: an entry does not fit the model.
    """

    def __init__(self, plan: Plan, models: Models, num_envs: int, seed: int) -> None:
        self.any = bool(plan.entries)
        model = models.shared
        self._targets = {name: target_of(name, entry, model) for name, entry in plan.entries.items()}
        for target in self._targets.values():
            check_bounds(target, model)
        check_apart(self._targets)
        check_leaders(self._targets)
        self.draws = tuple(draw for target in self._targets.values() for draw in target.draws)
        if not self.any:
            return
        self._plan = plan
        self._draws = Draws(
            [(each.entry, len(each.draws)) for each in self._targets.values()], tuple(plan.entries)
        )
        self._writer = Writer(models, tuple(self._targets.values()), self._draws.slices, num_envs)
        self._curriculum = Curriculum([entry.schedule for entry in plan.entries.values()], num_envs)
        self._moves = plan.strength is Strength.SCHEDULED and self._curriculum.moves
        self._randoms = {
            name: streams(component_seed(seed, f"{TELEMETRY}{name}"), num_envs) for name in plan.entries
        }
        self._anchor = np.concatenate([target.anchor for target in self._targets.values()])
        self._drawn = np.tile(self._anchor, (num_envs, 1))  # [N, K]
        self._shown = self._drawn.copy()
        self._whole = plan.strength is not Strength.NOMINAL and not self._moves  # all of it, always
        self._strength = np.full((num_envs, len(plan.entries)), float(self._whole))

    def begin(self, ids: np.ndarray) -> None:
        """Draw the models of the episodes that begin in environments ``ids`` (sorted)."""
        z = np.empty((len(ids), len(self.draws)))
        for own, randoms in zip(self._draws.slices, self._randoms.values(), strict=True):
            for row, i in enumerate(ids):
                randoms[i].standard_normal(out=z[row, own])
        self._drawn[ids] = self._draws(z)
        if self._moves:
            self._strength[ids] = self._curriculum.strength(ids)
        self._write(ids)

    def count(self, reward: np.ndarray, ended: np.ndarray, broken: np.ndarray) -> None:
        """Count a step, as of ``Curriculum.count``."""
        if self._moves:
            self._curriculum.count(reward, ended, broken)

    def shown(self) -> np.ndarray:
        """What was drawn for the running episodes ``[N, K]``, a copy: factors, amounts or values."""
        return self._shown.copy()

    def telemetry(self) -> dict[str, np.ndarray]:
        """The same by entry, ``[N, k]`` each, and the strengths of those that have a schedule."""
        shown = self.shown()
        told = {
            f"{TELEMETRY}{name}": shown[:, own]
            for name, own in zip(self._targets, self._draws.slices, strict=True)
        }
        if self._moves:
            told |= {
                f"{TELEMETRY}{name}{STRENGTH}": self._strength[:, [e]].copy()
                for e, (name, target) in enumerate(self._targets.items())
                if target.entry.schedule.moves
            }
        return told

    def groups(self, groups: Mapping[str, ObservationGroup]) -> dict[str, ObservationGroup]:
        """Observation groups with ``privileged``, to which what is drawn is appended."""
        if not self.any:
            return dict(groups)
        own = groups[PRIVILEGED].names if PRIVILEGED in groups else ()
        names = (*own, *self.draws)
        return {**groups, PRIVILEGED: ObservationGroup(names, (len(names),), "float64")}

    def joined(self, observed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Observations with that group."""
        if not self.any:
            return observed
        shown = self.shown()
        own = observed.get(PRIVILEGED)
        return {**observed, PRIVILEGED: shown if own is None else np.concatenate((own, shown), axis=1)}

    def state_dict(self) -> State:
        """What was drawn, how strongly, the streams, and where the schedules are."""
        return {
            "drawn": torch.from_numpy(self._drawn.copy()),
            "strength": torch.from_numpy(self._strength.copy()),
            "random": {
                name: [random.bit_generator.state for random in randoms]
                for name, randoms in self._randoms.items()
            },
            "curriculum": self._curriculum.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``, with the models that it had."""
        self._drawn[:], self._strength[:] = state["drawn"].numpy(), state["strength"].numpy()
        for name, randoms in self._randoms.items():
            for random, saved in zip(randoms, state["random"][name], strict=True):
                random.bit_generator.state = saved
        self._curriculum.load_state_dict(state["curriculum"])
        self._write(np.arange(len(self._drawn)))

    def _write(self, ids: np.ndarray) -> None:
        """Put what was drawn into the models of simulations ``ids``."""
        drawn, strength = self._drawn[ids], self._strength[ids]
        shown = drawn if self._whole else between(self._anchor, drawn, strength[:, self._draws.entry])
        self._shown[ids] = shown
        self._writer(ids, drawn, shown, strength)
