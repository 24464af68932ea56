"""What is drawn of the models of ``N`` simulations, at every episode's start."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from pgrobot.randomness import component_seed
from pgrobot.simulation.auto_reset import streams
from pgrobot.simulation.models import Models
from pgrobot.simulation.variation.bounds import check_bounds
from pgrobot.simulation.variation.draws import Draws
from pgrobot.simulation.variation.entry import Entry
from pgrobot.simulation.variation.targets import check_apart, check_leaders, target_of
from pgrobot.simulation.variation.writing import Writer, between
from pgrobot.types import State


class DrawnModels:
    """The models of ``N`` simulations by ``E`` entries, which draw ``K`` numbers.

    An environment draws each entry from a stream of its own: neither the start of its episodes nor another entry
    depends on it, nor on ``N``.

    Args:
        entries: by name; at least one.
        models: of the simulations.
        num_envs: N.
        seed: of the streams.

    Attributes:
        names: of what is drawn, ``K`` of them.
        shown: what was drawn for the running episodes ``[N, K]``: factors, amounts or values; not to be written, and
            another array after every ``begin``.

    Raises:
        PgrobotError: an entry does not fit the model.
    """

    def __init__(self, entries: Mapping[str, Entry], models: Models, num_envs: int, seed: int) -> None:
        targets = {name: target_of(name, entry, models.shared) for name, entry in entries.items()}
        for target in targets.values():
            check_bounds(target, models.shared)
        check_apart(targets)
        check_leaders(targets)
        self.names = tuple(draw for target in targets.values() for draw in target.draws)
        self._draws = Draws([(each.entry, len(each.draws)) for each in targets.values()], tuple(entries))
        self._writer = Writer(models, tuple(targets.values()), self._draws.slices, num_envs)
        self._randoms = {
            name: streams(component_seed(seed, f"variation/{name}"), num_envs) for name in entries
        }
        self._anchor = np.concatenate([target.anchor for target in targets.values()])
        self._drawn = np.tile(self._anchor, (num_envs, 1))  # [N, K]
        self.shown = self._drawn.copy()

    def begin(self, ids: np.ndarray, strength: np.ndarray) -> None:
        """Draw the models of the episodes that begin in environments ``ids`` (sorted), so strongly ``[n, E]``."""
        z = np.empty((len(ids), len(self.names)))
        for own, randoms in zip(self._draws.slices, self._randoms.values(), strict=True):
            for row, i in enumerate(ids):
                randoms[i].standard_normal(out=z[row, own])
        self._drawn[ids] = self._draws(z)
        self._write(ids, strength)

    def telemetry(self) -> dict[str, np.ndarray]:
        """What was drawn by entry, ``[N, k]`` each."""
        return {name: self.shown[:, own] for name, own in zip(self._randoms, self._draws.slices, strict=True)}

    def state_dict(self) -> State:
        """What was drawn, and the streams."""
        return {
            "drawn": torch.from_numpy(self._drawn.copy()),
            "random": {
                name: [random.bit_generator.state for random in randoms]
                for name, randoms in self._randoms.items()
            },
        }

    def load_state_dict(self, state: State, strength: np.ndarray) -> None:
        """Continue from ``state``, with the models that it had, drawn so strongly ``[N, E]``."""
        self._drawn[:] = state["drawn"].numpy()
        for name, randoms in self._randoms.items():
            for random, saved in zip(randoms, state["random"][name], strict=True):
                random.bit_generator.state = saved
        self._write(np.arange(len(self._drawn)), strength)

    def _write(self, ids: np.ndarray, strength: np.ndarray) -> None:
        """Put what was drawn into the models of simulations ``ids``."""
        drawn = self._drawn[ids]
        whole = bool((strength == 1.0).all())
        now = drawn if whole else between(self._anchor, drawn, strength[:, self._draws.entry])
        shown = self.shown.copy()
        shown[ids] = now
        self.shown = shown
        self._writer(ids, drawn, now, strength)
