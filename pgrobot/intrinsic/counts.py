"""Counts of visits: what was seen n times is worth 1 / √n."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from pgrobot.errors import PgrobotError
from pgrobot.groups import Groups, matching, selected
from pgrobot.intrinsic.bonus import Bonus
from pgrobot.normalizer import ObservationNormalizer
from pgrobot.ranges import Keys, MappingOf, above, at_least
from pgrobot.types import Metrics, Rollout, State, Widths

BITS = 62  # of a cell's number
MOST_ENTRIES = 6
Sizes = Annotated[Mapping[str, float], MappingOf(Keys("policy/*"), above(0.0))]


@dataclass(kw_only=True, eq=False)
class Counts(Bonus):
    """``1 / √n``, with n the visits to the successor's cell so far, this rollout's included (Tang et al. 2017)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._cells = torch.zeros(0, dtype=torch.int64)  # ascending, [M]
        self._visits = torch.zeros(0, dtype=torch.int64)  # [M]

    @abstractmethod
    def cells(self, rollout: Rollout) -> Tensor:
        """The number of the cell of every true successor, ``[T, N]`` int64."""

    def visits(self, cells: Tensor) -> Tensor:
        """How often cells ``[…]`` have been visited."""
        if not len(self._cells):
            return torch.zeros_like(cells)
        at = torch.searchsorted(self._cells, cells).clamp(max=len(self._cells) - 1)
        return torch.where(self._cells[at] == cells, self._visits[at], 0)

    def novelty(self, rollout: Rollout) -> Tensor:
        cells, counts = self.cells(rollout), rollout.weight > 0.0
        _, which, now = cells.unique(return_inverse=True, return_counts=True)
        if not bool(counts.all()):
            now = which[counts].flatten().bincount(minlength=len(now))
        visits = self.visits(cells) + now[which]
        return visits.clamp(min=1).to(rollout.reward.dtype).rsqrt()

    def learn(self, rollout: Rollout) -> Metrics:
        found, now = self.cells(rollout)[rollout.weight > 0.0].unique(return_counts=True)
        cells, which = torch.cat((self._cells, found)).unique(return_inverse=True)
        visits = torch.zeros_like(cells)
        self._visits = visits.scatter_add(0, which, torch.cat((self._visits, now)))
        self._cells = cells
        return {"cells": float(len(cells))}

    def state_dict(self) -> State:
        """Cells and their visits as well."""
        return {**super().state_dict(), "cells": self._cells.clone(), "visits": self._visits.clone()}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self._cells, self._visits = state["cells"].clone(), state["visits"].clone()


@dataclass(kw_only=True, eq=False)
class HashedCounts(Counts):
    """Cells by the signs of random projections (SimHash: Charikar 2002): what is alike has the same ones.

    Observations are whitened by the statistics of the first rollout, which are then kept: a cell stays the same cell.

    Attributes:
        groups: the observation groups read, or entries of them by their full names.
        bits: projections; each more halves the cells.

    Raises:
        PgrobotError: there are more than 62.
    """

    groups: Groups
    bits: Annotated[int, at_least(1)]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits > BITS:
            raise PgrobotError(
                f"{self.key}.bits={self.bits} is more than {BITS}, which tell {2**BITS:,} cells apart"
            )
        self._reads = selected(f"{self.key}.groups", self.groups, self.observation)
        self._whitening = ObservationNormalizer(self._reads.width, torch.inf)
        self._directions = torch.randn(self._reads.width, self.bits, generator=self.generator)

    def cells(self, rollout: Rollout) -> Tensor:
        seen = self._reads(rollout.next_obs)
        above_zero = self._whitened_by(rollout)(seen) @ self._directions > 0.0
        return (above_zero * 2 ** torch.arange(self.bits)).sum(-1)

    def learn(self, rollout: Rollout) -> Metrics:
        self._whitening = self._whitened_by(rollout)
        return super().learn(rollout)

    def _whitened_by(self, rollout: Rollout) -> ObservationNormalizer:
        if self._whitening.moments.count > 0:
            return self._whitening
        first = ObservationNormalizer(self._reads.width, torch.inf)
        first.merge(self._reads(rollout.next_obs)[rollout.weight > 0.0])
        return first

    def state_dict(self) -> State:
        """Projections and statistics as well."""
        whitening = {name: value.clone() for name, value in self._whitening.state_dict().items()}
        return {**super().state_dict(), "whitening": whitening, "directions": self._directions.clone()}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self._whitening.load_state_dict(state["whitening"])
        self._directions = state["directions"].clone()


@dataclass(kw_only=True, eq=False)
class GridCounts(Counts):
    """Cells of a grid over chosen entries, which are told apart exactly.

    Attributes:
        size: of a cell, in units of each entry, by name or pattern as in ``{policy/qpos/x: 0.5}``; the last that names
            an entry counts. What lies further from 0 than the grid reaches, 2^30 cells of two entries and 512 of six,
            is in its outermost cells.

    Raises:
        PgrobotError: no entry has such a name, or there are more than six.
    """

    size: Sizes

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.size:
            raise PgrobotError(
                f"{self.key}.size names no entry: as in {self.key}.size={{policy/*: 0.5}}, in units of the entries"
            )
        widths = self.observation
        assert isinstance(widths, Widths)
        sizes: dict[str, float] = {}
        for pattern, size in self.size.items():
            sizes |= dict.fromkeys(matching(f"{self.key}.size", [pattern], widths), size)
        if len(sizes) > MOST_ENTRIES:
            raise PgrobotError(
                f"{self.key}.size names {len(sizes)} entries, and a grid of more than {MOST_ENTRIES} is nearly empty: "
                "name fewer, or count by intrinsic=[count]"
            )
        self._reads = selected(f"{self.key}.size", list(sizes), widths)
        self._sizes = torch.tensor(list(sizes.values()), dtype=torch.float64)

    def cells(self, rollout: Rollout) -> Tensor:
        seen = self._reads(rollout.next_obs).double()
        bits = min(BITS // len(self._sizes), 31)
        reach = 2 ** (bits - 1)
        along = (seen / self._sizes).floor().clamp(-reach, reach - 1).long() + reach
        return (along << (bits * torch.arange(len(self._sizes)))).sum(-1)
