"""The models of N simulations: one that all share, but for the fields that vary."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from mujoco.batch import MODEL_FIELDS, Batch, SimulationError

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.read_only import ReadOnlyModel, unwritten

VARIABLE = MODEL_FIELDS  # what can have values of its own in each simulation
# what other fields are computed from; MuJoCo's own documentation points there
DERIVES = frozenset(mujoco.MjModel._setconst_inputs)  # noqa: SLF001


class Models:
    """What each simulation of a batch has for a model.

    Args:
        batch: of the simulations.
        model: what they share.

    Attributes:
        shared: that model.
        varied: the fields that have values of their own in each simulation.
    """

    def __init__(self, batch: Batch, model: ReadOnlyModel) -> None:
        self._batch, self.shared = batch, model
        self._derives = False
        self._seen: dict[str, np.ndarray] = {}
        self.varied: tuple[str, ...] = ()

    def vary(self, fields: Sequence[str]) -> list[np.ndarray]:
        """Give fields values by simulation, the model's own to begin with: live arrays ``[N, ...]`` to write."""
        self.varied = tuple(dict.fromkeys((*self.varied, *fields)))
        self._seen = {}
        self._derives = any(field in DERIVES or field.startswith("opt.") for field in self.varied)
        return [self._batch.expand(field) for field in fields]

    def settle(self, ids: np.ndarray) -> None:
        """Compute what follows from fields that were written in simulations ``ids`` (sorted), such as weights.

        Raises:
            PgrobotError: MuJoCo refuses the values.
        """
        if self._derives:
            try:
                self._batch.set_const(ids)
            except SimulationError as error:
                raise PgrobotError(f"MuJoCo refuses what variation has drawn: {error}") from error

    def field(self, name: str) -> np.ndarray:
        """A field, ``[N, ...]`` and live where something varies, else ``[1, ...]``; read-only.

        Raises:
            PgrobotError: there is no such field, or it is no array.
        """
        if name not in self._seen:
            self._seen[name] = unwritten(self._found(name))
        return self._seen[name]

    def _found(self, name: str) -> np.ndarray:
        owner = self.shared.opt if name.startswith("opt.") else self.shared
        shared = getattr(owner, name.removeprefix("opt."), None)
        if not isinstance(shared, np.ndarray | float | int):
            raise PgrobotError(f"the model has no field '{name}': {nearest(name, VARIABLE)}")
        if self.varied and name in VARIABLE:
            return self._batch.expand(name)
        return np.array(shared)[None]

    def write(self, simulation: int, model: mujoco.MjModel) -> None:
        """Make a model of the same file one simulation's own; nothing is to be done where none varies."""
        if self.varied:
            self._batch.get_model(simulation, model)

    def of(self, simulation: int) -> ReadOnlyModel:
        """The model of one simulation as it is now; a copy where it varies."""
        return ReadOnlyModel.of(self._batch.get_model(simulation)) if self.varied else self.shared
