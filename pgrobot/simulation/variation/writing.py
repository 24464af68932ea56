"""Writing what was drawn into the models of the simulations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pgrobot.simulation.models import Models
from pgrobot.simulation.variation.entry import VALUE
from pgrobot.simulation.variation.fields import field_of
from pgrobot.simulation.variation.targets import Target

MASS, INERTIA = "body_mass", "body_inertia"


class Writer:
    """Writes the fields that vary, every number anew from the shared model's.

    A mass takes the inertia along, as if the body were denser; an inertia that varies by itself is drawn about that.

    Args:
        models: of the simulations.
        targets: what varies.
        draws: which of all draws are whose.
        num_envs: N.
    """

    def __init__(
        self, models: Models, targets: Sequence[Target], draws: Sequence[slice], num_envs: int
    ) -> None:
        self._models = models
        fields = dict.fromkeys(target.entry.field for target in targets)
        if MASS in fields:
            fields[INERTIA] = None
        live = models.vary(tuple(fields))
        self._flat = {name: array.reshape(num_envs, -1) for name, array in zip(fields, live, strict=True)}
        self._inertia = field_of(models.shared, INERTIA).ravel()
        order = sorted(range(len(targets)), key=lambda e: targets[e].entry.field != MASS)
        self._order = [(e, targets[e], draws[e]) for e in order]
        self._inertias = {e: (3 * each.at[:, None] + np.arange(3)).ravel() for e, each, _ in self._order}
        # what comes of an inertia is written from the draws alone, unless something varies it further
        self._anew = INERTIA in self._flat and any(each.entry.field == INERTIA for each in targets)

    def __call__(self, ids: np.ndarray, drawn: np.ndarray, shown: np.ndarray, strength: np.ndarray) -> None:
        """Write draws into simulations ``ids`` (sorted).

        Args:
            ids: the simulations, ``[n]``.
            drawn: in full strength, ``[n, K]``.
            shown: the share of the way to them, ``[n, K]``.
            strength: that share, ``[n, E]``.

        Raises:
            PgrobotError: MuJoCo refuses them.
        """
        rows = ids[:, None]
        if self._anew:
            self._flat[INERTIA][ids] = self._inertia
        for e, target, own in self._order:
            field = target.entry.field
            nominal = self._flat[INERTIA][rows, target.at] if field == INERTIA else target.nominal
            if target.entry.kind == VALUE:
                values = between(nominal, target.drawn(drawn[:, own], nominal), strength[:, [e]])
            else:
                values = target.drawn(shown[:, own], nominal)
            self._flat[field][rows, target.at] = values
            if field == MASS:
                at = self._inertias[e]
                self._flat[INERTIA][rows, at] = self._inertia[at] * np.repeat(
                    values / target.nominal, 3, axis=1
                )
        self._models.settle(ids)


def between(nominal: np.ndarray, drawn: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """The share ``strength`` of the way from one to the other; exact at both ends."""
    return (1.0 - strength) * nominal + strength * drawn
