"""What the parts that are called later are given then, beside the keys of their nodes.

``construction`` and the learner call them by these protocols, and configs are checked against the same: a part's other
parameters are what its node has to say.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch

from pgrobot.constraints import Constraint
from pgrobot.critics import Critic
from pgrobot.policies import Policy
from pgrobot.types import IntrinsicReward, Multiplier


class PolicyFactory(Protocol):
    """A policy but for what the environment and the run say."""

    def __call__(
        self, *, observation: Mapping[str, int], actions: int, generator: torch.Generator
    ) -> Policy: ...


class CriticFactory(Protocol):
    """A critic but for what the environment and the run say."""

    def __call__(
        self, *, observation: Mapping[str, int], columns: Sequence[str], generator: torch.Generator
    ) -> Critic: ...


class IntrinsicRewardFactory(Protocol):
    """An intrinsic reward but for what the environment and the run say."""

    def __call__(
        self, *, observation: Mapping[str, int], actions: int, generator: torch.Generator
    ) -> IntrinsicReward: ...


class MultiplierFactory(Protocol):
    """A multiplier but for the budgets and the columns that it mixes."""

    def __call__(
        self,
        *,
        constraints: Sequence[Constraint],
        columns: Sequence[str],
    ) -> Multiplier: ...


class Given(NamedTuple):
    """What a part is called with."""

    positions: int
    keywords: tuple[str, ...]


@dataclass(frozen=True)
class CalledBy:
    """Of a part that is called later.

    Attributes:
        factory: the protocol by which it is.
    """

    factory: Any

    def given(self) -> Given:
        """What it is called with."""
        _, *parameters = inspect.signature(self.factory.__call__).parameters.values()  # but for self
        keywords = tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)
        return Given(len(parameters) - len(keywords), keywords)
