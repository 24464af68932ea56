"""What the high level says to the low one: numbers, one of several options, or numbers that gradients flow through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor

from pgrobot.distributions import Distribution, Pathwise
from pgrobot.errors import PgrobotError, nearest, shown
from pgrobot.policies.heads.categorical import CategoricalHead
from pgrobot.policies.heads.head import Head, HeadFactory
from pgrobot.policies.levels.channel import Channel, NoiseChannel
from pgrobot.ranges import Built, Called, at_least
from pgrobot.types import Action

PATH = "policy.goal"
KINDS = ("drawn", "reparameterised", "options")


class GoalNode(Built):
    """The node of a goal, for which one of the words that choose it may have been meant."""

    def __call__(self, key: str, value: Any) -> Any:
        if isinstance(value, str):
            raise PgrobotError(f"{key} cannot be {shown(value)}: {nearest(value, KINDS)}")
        return super().__call__(key, value)


class Goal(ABC):
    """What a goal is.

    Attributes:
        sequence: steps per chunk in an update, through which gradients flow from the low level to the high one; 1:
            a goal is a choice like that of an action, learnt by its probability.
        choices: how many options there are; 0: goals are real numbers.
    """

    sequence: int = 1
    choices: int = 0

    @property
    @abstractmethod
    def actions(self) -> Sequence[Action]:
        """What the head of the high level draws, an entry each; ``G`` of them."""

    @property
    @abstractmethod
    def width(self) -> int:
        """How many numbers of a goal the low level is shown, ``W``."""

    @abstractmethod
    def head(self, *, actions: Sequence[Action]) -> Head:
        """The head of the high level."""

    @property
    @abstractmethod
    def told(self) -> str:
        """What goals are, in words: those of whom these are the same mean the same to a low level."""

    def channel(self, said: Distribution) -> Channel:
        """How a goal gets from the one level to the other, given what the high level says on any rows ``[B]``.

        Raises:
            PgrobotError: no goal of this kind follows from that.
        """
        del said
        return Channel()

    def shown(self, held: Tensor) -> Tensor:
        """A goal ``[…, G]`` as the low level reads it, ``[…, W]``."""
        return held


def numbered(size: int) -> tuple[Action, ...]:
    """Real numbers that are drawn."""
    return Action.unitless(*(f"goal/{i}" for i in range(size)))


@dataclass(frozen=True)
class Drawn(Goal):
    """Real numbers, learnt by the probability with which they are drawn.

    Attributes:
        size: how many.
        draws: the head that draws them, ``policy.goal.draws``.
    """

    size: Annotated[int, at_least(1)]
    draws: Annotated[HeadFactory, Called("_target_", HeadFactory)]

    @property
    def actions(self) -> Sequence[Action]:
        return numbered(self.size)

    @property
    def width(self) -> int:
        return self.size

    @property
    def told(self) -> str:
        return f"{self.size} numbers drawn by {self._drawing}"

    @property
    def _drawing(self) -> str:
        """The name of the head."""
        made: Any = self.draws.func if isinstance(self.draws, partial) else self.draws
        return str(made.__name__)

    def head(self, *, actions: Sequence[Action]) -> Head:
        try:
            head = self.draws(actions=actions)
        except PgrobotError as error:  # heads speak of themselves as that of a policy
            told = str(error).replace("policy.head", f"{PATH}.draws")
            raise PgrobotError(told.replace("policy/head=", f"policy/head@{PATH}.draws=")) from error
        if getattr(head, "carry_size", 0):
            raise PgrobotError(
                f"{PATH}.draws is a {type(head).__name__}, whose noise lasts from one step to the next, and goals are "
                f"not drawn at every step: use policy/head@{PATH}.draws=gaussian"
            )
        return head


@dataclass(frozen=True)
class Reparameterised(Drawn):
    """Real numbers that gradients flow through, ``z = f(s, ε)`` of standard normal noise ε, which is what is drawn.

    What the low level makes of a goal then tells the high level how to change it, wherever the goal was drawn in the
    same chunk of ``sequence`` steps. The noise has no parameters, so that the high level's probability leaves the
    ratio (Haarnoja et al. 2018, arXiv 1804.02808, have such a latent goal under a low level that is trained before).

    See docs/derivations.md#reparameterised-goals.

    Attributes:
        sequence: steps per chunk; divides the horizon.
    """

    sequence: Annotated[int, at_least(2)]

    @property
    def told(self) -> str:
        return f"{self.size} numbers reparameterised by {self._drawing}"

    def channel(self, said: Distribution) -> Channel:
        if not isinstance(said, Pathwise):
            raise PgrobotError(
                f"{PATH}=reparameterised needs a differentiable map of noise, and {PATH}.draws makes a "
                f"{type(said).__name__}, which is none: use policy/head@{PATH}.draws=gaussian, squashed, state_std or "
                f"full_covariance, or {PATH}=drawn"
            )
        return NoiseChannel(said)


@dataclass(frozen=True)
class Options(Goal):
    """One of several options, learnt by the probability with which it is chosen (Sutton et al. 1999).

    The low level is shown which one by ``count − 1`` numbers: all are zero for option 0, with which an episode begins,
    and number ``i`` is one for option ``i``. So a single option is no goal at all.

    Attributes:
        count: how many there are.
    """

    count: Annotated[int, at_least(1)]

    @property
    def actions(self) -> Sequence[Action]:
        return (Action("option", "", self.count),)

    @property
    def choices(self) -> int:  # type: ignore[override]
        return self.count

    @property
    def width(self) -> int:
        return self.count - 1

    @property
    def told(self) -> str:
        return f"{self.count} options"

    def head(self, *, actions: Sequence[Action]) -> Head:
        return CategoricalHead(actions)

    def shown(self, held: Tensor) -> Tensor:
        return (held == torch.arange(1, self.count)).to(held.dtype)
