"""Learning rates of some parameters in units of the others'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar

from torch import Tensor

from pgrobot.errors import PgrobotError, nearest
from pgrobot.ranges import Keys, MappingOf, at_least
from pgrobot.solvers.transform import Forgetful, Layout, Moments, Place, Transform, entries


@dataclass(frozen=True)
class GroupRates:
    """Multiply the steps of parameters by the names that they have in their network.

    See docs/derivations.md#weight-decay-and-group-rates.

    Attributes:
        rates: factors of at least 0 by shell pattern, such as ``head.log_std`` or ``*.bias``; a name that several match
            goes by the first. What none matches keeps its step; a factor of 1 is bit for bit its absence.
    """

    place: ClassVar[Place] = "after"
    rates: Annotated[Mapping[str, float], MappingOf(Keys("*"), at_least(0.0))]

    def bound(self, layout: Layout, vector: Tensor) -> Transform:
        """The factor of each parameter of the vector ``[P]``.

        Raises:
            PgrobotError: a pattern matches no name, or none that earlier ones have left.
        """
        by = {name: next((p for p in self.rates if fnmatchcase(name, p)), "") for name in layout}
        for pattern in self.rates:
            if not any(fnmatchcase(name, pattern) for name in layout):
                raise PgrobotError(
                    f"no parameter is called {pattern!r}, to have a rate: {nearest(pattern, layout)}"
                )
            if pattern not in by.values():
                raise PgrobotError(f"the patterns before {pattern!r} leave no parameter to it: put it first")
        return Scaled(entries(layout, vector, lambda name, _: self.rates.get(by[name], 1.0)))


@dataclass(frozen=True)
class Scaled(Forgetful):
    """Steps with a factor of its own for every parameter, ``[P]``."""

    factor: Tensor

    def step(self, update: Tensor, moments: Moments, vector: Tensor, rate: Tensor) -> tuple[Tensor, Moments]:
        return update * self.factor, moments
