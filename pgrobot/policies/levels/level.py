"""One level of a hierarchical policy: a network by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import torch
from torch import Tensor

from pgrobot.bodies import BodyFactory
from pgrobot.frozen import freeze
from pgrobot.groups import Groups, Selection
from pgrobot.normalizer import ObservationNormalizer
from pgrobot.policies.heads.head import HeadFactory
from pgrobot.policies.network import Network
from pgrobot.ranges import Called
from pgrobot.types import Action, EnvironmentSpec


@dataclass(frozen=True)
class High:
    """The network of the high level, up to its features.

    Attributes:
        groups: the observation groups that it reads, or entries of them by their full names, in that order.
        body: makes it.
    """

    groups: Groups
    body: Annotated[BodyFactory, Called("hidden", BodyFactory)]


class Source(Protocol):
    """Where a low level comes from."""

    frozen: bool

    def fill(self, policy: Any, spec: EnvironmentSpec) -> None:
        """Give the low level of a new hierarchical policy what another one has learnt; raises PgrobotError."""
        ...


class Level(Network):
    """A network with a normaliser of its own; see ``Network.assemble``.

    Attributes:
        carry_size: width of what it remembers.
    """

    def __init__(
        self,
        reads: Selection,
        told: int,
        actions: Sequence[Action],
        body: BodyFactory,
        head: HeadFactory,
        normalizer: ObservationNormalizer,
        generator: torch.Generator,
        path: str,
    ) -> None:
        super().__init__()
        self.assemble(reads, told, actions, body, head, normalizer, generator, path)
        self.carry_size = sum(self.parts)

    def freeze(self) -> None:
        """Make its parameters constants, which no solver moves, and its normaliser one that merges nothing."""
        freeze(self)

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        """Merge observations ``[…, D]`` into the normaliser."""
        self.normalizer.merge(self.reads(obs))
