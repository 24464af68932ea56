"""Counting violations, and where costs look for them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.simulation import Simulation
from pgrobot.types import State

SUBSTEPS = ("worst", "last")


class Violations:
    """A bound cost without memory: which parts violate their limit now."""

    counts = True

    def __init__(self, parts: tuple[str, ...], violated: Callable[[], np.ndarray]) -> None:
        self.parts = parts
        self.highest = float(len(parts))
        self._violated = violated

    def __call__(self) -> np.ndarray:
        """1 where part ``j`` of simulation ``n`` violates its limit, else 0: ``[N, J]``."""
        return np.asarray(self._violated())

    def reset(self, ids: np.ndarray) -> None:
        """Nothing is remembered."""

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing was remembered."""


class ModelViolations(Violations):
    """Those of limits that follow from a model which varies: each episode has its own.

    Args:
        parts: as of ``Violations``.
        limits: computes them, ``[N, J]`` each.
        violated: which parts violate such limits now.
    """

    def __init__(
        self,
        parts: tuple[str, ...],
        limits: Callable[[], tuple[np.ndarray, ...]],
        violated: Callable[..., np.ndarray],
    ) -> None:
        self._limits, self._now = limits, limits()
        super().__init__(parts, lambda: violated(*self._now))

    def reset(self, ids: np.ndarray) -> None:
        """Take the limits of the models that the new episodes have."""
        self._now = self._limits()

    def load_state_dict(self, state: State) -> None:
        """Take the limits of the models that came back."""
        self._now = self._limits()


def of_model(
    parts: tuple[str, ...],
    limits: Callable[[], tuple[np.ndarray, ...]],
    violated: Callable[..., np.ndarray],
    varies: bool,
) -> Violations:
    """Violations of limits that follow from the model, which are computed once where it does not vary."""
    if varies:
        return ModelViolations(parts, limits, violated)
    now = limits()
    return Violations(parts, lambda: violated(*now))


def observed(name: str, simulation: Simulation, field: str, substeps: str) -> np.ndarray:
    """A live field as the cost of constraint ``name`` looks at it, ``[N, S, *]``: after every substep, or the last.

    Raises:
        PgrobotError: ``substeps`` is neither ``worst`` nor ``last``.
    """
    check_substeps(name, substeps)
    return simulation.by_substep(field) if substeps == "worst" else simulation.field(field)[:, None]


def check_substeps(name: str, substeps: str) -> None:
    """Refuse what says no substeps of a step; raises PgrobotError."""
    if substeps not in SUBSTEPS:
        raise PgrobotError(
            f"constraint.{name}.cost.substeps={substeps} is unknown: {nearest(str(substeps), SUBSTEPS)}"
        )


def check_positive(key: str, value: float) -> None:
    """Refuse what is no positive number; raises PgrobotError."""
    if not 0.0 < value < math.inf:
        raise PgrobotError(f"{key}={value} has to be a positive number: give the one you want")
