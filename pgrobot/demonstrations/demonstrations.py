"""What was shown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Demonstrations:
    """``M`` steps of whole episodes, one episode after the other.

    Names that a source does not tell are empty: its entries are then known by their place.
    """

    source: str  # where they come from, for sentences
    obs: Mapping[
        str, Tensor
    ]  # groups as the environment showed them               [M, D], images [M, H, W, C]
    next_obs: Mapping[str, Tensor]  # the true successor, before any reset           likewise
    action: Tensor  # what the environment was told, in the units of its space       [M, A] float64
    reward: Tensor  # [M] float64
    cost: Tensor  # [M, K] float64
    terminated: Tensor  # no future value                                            [M] bool
    truncated: Tensor  # the future has value                                        [M] bool
    episode_start: Tensor  # first step of an episode                                [M] bool
    names: Mapping[str, tuple[str, ...]]  # of the entries of each group
    actions: tuple[str, ...]  # names of the A actions
    costs: tuple[str, ...]  # names of the K costs
    provenance: Mapping[str, Any]  # who showed them: plain values

    def __len__(self) -> int:
        """How many steps they are."""
        return len(self.reward)

    @property
    def done(self) -> Tensor:
        """The last step of an episode: ``[M]`` bool."""
        return self.terminated | self.truncated

    @property
    def episodes(self) -> tuple[slice, ...]:
        """The rows of each episode, in their order."""
        starts = self.episode_start.nonzero().flatten().tolist()
        return tuple(slice(*ends) for ends in zip(starts, [*starts[1:], len(self)], strict=True))

    @property
    def age(self) -> Tensor:
        """Steps already taken in the episode before each: ``[M]`` int64."""
        lengths = [rows.stop - rows.start for rows in self.episodes]
        return torch.cat([torch.arange(length) for length in lengths])

    @property
    def returns(self) -> Tensor:
        """The sum of each episode's rewards, ``[E]``."""
        return torch.stack([self.reward[rows].sum() for rows in self.episodes])

    def of(self, episodes: Sequence[int]) -> Self:
        """Those episodes alone, in this order."""
        known = self.episodes
        rows = torch.cat([torch.arange(known[each].start, known[each].stop) for each in episodes])
        return replace(
            self,
            obs={name: value[rows] for name, value in self.obs.items()},
            next_obs={name: value[rows] for name, value in self.next_obs.items()},
            **{
                name: getattr(self, name)[rows]
                for name in ("action", "reward", "cost", "terminated", "truncated", "episode_start")
            },
        )

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Everything that was shown, by a name for it."""
        yield from ((f"observation {name!r}", value) for name, value in self.obs.items())
        yield from ((f"next observation {name!r}", value) for name, value in self.next_obs.items())
        yield from (("action", self.action), ("reward", self.reward), ("cost", self.cost))
        yield from (("terminated", self.terminated), ("truncated", self.truncated))
        yield "episode_start", self.episode_start

    @property
    def sha256(self) -> str:
        """The hash of all that was shown, and of the names of it; the provenance is no part of that."""
        found = hashlib.sha256(repr((dict(self.names), self.actions, self.costs)).encode())
        for name, value in self.tensors():
            found.update(f"{name} {value.dtype} {list(value.shape)}".encode())
            found.update(value.contiguous().numpy().tobytes())
        return found.hexdigest()
