"""When the high level draws a goal: when the time of the last one is over, or earlier where it chooses to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import torch
from torch import Tensor, nn

from pgrobot.bodies import BodyFactory
from pgrobot.distributions import Distribution, Gated, TwoLevel
from pgrobot.errors import PgrobotError, nearest, shown
from pgrobot.groups import Selection
from pgrobot.normalizer import ObservationNormalizer
from pgrobot.policies.heads.categorical import CategoricalHead
from pgrobot.policies.levels.level import Level
from pgrobot.ranges import Called, inside
from pgrobot.types import Action

CHOICE = (Action("switch", "", 2),)  # to keep a goal or to draw one


class SwitchFactory(Protocol):
    """A switch but for the high level that it belongs to."""

    def __call__(
        self,
        *,
        reads: Selection,
        told: int,
        body: BodyFactory,
        normalizer: ObservationNormalizer,
        generator: torch.Generator,
    ) -> Any: ...


class SwitchNode(Called):
    """The node of a switch, for which one of the words that choose it may have been meant."""

    def __call__(self, key: str, value: Any) -> Any:
        if isinstance(value, str):
            raise PgrobotError(f"{key} cannot be {shown(value)}: {nearest(value, ('clock', 'learnt'))}")
        return super().__call__(key, value)


@dataclass(frozen=True)
class Moment:
    """What a switch is asked in a step."""

    obs: Mapping[str, Tensor]  # groups                                      […, D]
    told: Tensor  # the goal that is held, and the time left for it          […, W]
    carry: Tensor  # what the switch remembers                               […, H]
    episode_start: Tensor  # where that is forgotten                         […] bool
    due: Tensor  # where a goal is drawn in any case                         […] bool
    idle: Tensor  # what stands for a goal where none is drawn               […, G]


class Switch(Protocol):
    """A module.

    Attributes:
        width: how many numbers of what is drawn say whether a goal is.
        carry_size: width ``H`` of what it remembers.
    """

    width: int
    carry_size: int

    def joint(self, low: Distribution, high: Distribution, now: Moment) -> tuple[TwoLevel, Tensor]:
        """What both levels draw together, given what each would: an action, a goal, what says whether it is drawn.

        Returns:
            The distribution, over ``[…, A + G + width]``, and what is remembered from here on.
        """
        ...

    def fires(self, said: Tensor, due: Tensor) -> Tensor:
        """Where a goal was drawn, ``[…, 1]`` bool, given what says so, ``[…, width]``, and where one was due."""
        ...

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        """Merge observations ``[…, D]`` into the normaliser."""
        ...


class Clock(nn.Module):
    """A goal is drawn when the time of the last one is over, and nobody is asked."""

    width = carry_size = 0

    def __init__(
        self,
        reads: Selection,
        told: int,
        body: BodyFactory,
        normalizer: ObservationNormalizer,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        del reads, told, body, normalizer, generator

    def joint(self, low: Distribution, high: Distribution, now: Moment) -> tuple[TwoLevel, Tensor]:
        return TwoLevel.of(low, high, now.due.to(now.idle.dtype), now.idle), now.carry

    def fires(self, said: Tensor, due: Tensor) -> Tensor:
        del said
        return due

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        del obs


class Learnt(Level):
    """A goal is drawn when its time is over, and earlier where the high level chooses to.

    In every other step a network like that of the high level, which is told the goal and the time left for it beside,
    chooses whether to keep the goal or to draw another one. It is learnt by the probability of that choice.

    See docs/derivations.md#a-learnt-switch.

    Args:
        reads: what the high level reads.
        told: width of the goal and the time left for it.
        body: makes the network of the high level.
        normalizer: of what is read.
        generator: random stream of the weights.
        probability: of a draw in a step, at first.
    """

    width = 1

    def __init__(
        self,
        reads: Selection,
        told: int,
        body: BodyFactory,
        normalizer: ObservationNormalizer,
        generator: torch.Generator,
        probability: Annotated[float, inside(0.0, 1.0)],
    ) -> None:
        super().__init__(reads, told, CHOICE, body, CategoricalHead, normalizer, generator, "policy.high")
        with torch.no_grad():
            self.output.bias.copy_(torch.tensor([0.0, math.log(probability / (1.0 - probability))]))

    def joint(self, low: Distribution, high: Distribution, now: Moment) -> tuple[TwoLevel, Tensor]:
        choice, carry = self.say(now.obs, now.told, now.carry, now.episode_start)
        due = now.due.to(now.idle.dtype)
        gated = Gated(choice, high, due, now.idle)  # type: ignore[arg-type]
        nothing = now.idle.new_zeros(*now.idle.shape[:-1], now.idle.shape[-1] + self.width)
        return TwoLevel.of(low, gated, torch.ones_like(due), nothing), carry

    def fires(self, said: Tensor, due: Tensor) -> Tensor:
        return due | (said > 0.5)
