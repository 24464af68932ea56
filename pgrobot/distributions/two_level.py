"""The distribution of a policy with two levels: what is done, and where the time has come, a new goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from pgrobot.distributions.distribution import Distribution, Located


@dataclass(frozen=True)
class TwoLevel:
    """``log π(a, z) = log π_low(a) + switch · log π_high(z)``; an action is both side by side, ``[…, A + G]``.

    Both levels are independent given the state and the goal that is held, so entropy and KL divergence add up alike.
    Where no goal is drawn, ``idle`` stands in its place, which has no probability to speak of: it is certain.

    ``switch`` and ``idle`` are a part of the state: two distributions that are compared have the same.

    See docs/derivations.md#two-levels.

    Attributes:
        low: over what is done, ``[…, A]``.
        high: over the goal, ``[…, G]``.
        switch: 1 where a goal is drawn, 0 where one is held, ``[…]``.
        idle: what stands for the goal where none is drawn, ``[…, G]``.
    """

    low: Any  # a Distribution, of a type of its own; likewise the other
    high: Any
    switch: Tensor
    idle: Tensor

    @staticmethod
    def of(low: Distribution, high: Distribution, switch: Tensor, idle: Tensor) -> TwoLevel:
        """The two together, which have a place where the low level has one."""
        return (LocatedTwoLevel if isinstance(low, Located) else TwoLevel)(low, high, switch, idle)

    def sample(self, generator: torch.Generator) -> Tensor:
        return self._beside(self.low.sample(generator), self.high.sample(generator), self.idle)

    def log_prob(self, action: Tensor) -> Tensor:
        done, goal = self.parts(action)
        return self._sum(self.low.log_prob(done), self.high.log_prob(goal))

    def entropy(self) -> Tensor:
        return self._sum(self.low.entropy(), self.high.entropy())

    def kl(self, other: Self) -> Tensor:
        return self._sum(self.low.kl(other.low), self.high.kl(other.high))

    @property
    def mean(self) -> Tensor:
        return self._beside(self.low.mean, self.high.mean, self.idle)

    @property
    def deterministic(self) -> Tensor:
        return self._beside(self.low.deterministic, self.high.deterministic, self.idle)

    @property
    def std(self) -> Tensor:
        """Of what is certain one, of which nothing follows: it stands at its mean, whatever that is divided by."""
        return self._beside(self.low.std, self.high.std, torch.ones_like(self.idle))

    def parts(self, action: Tensor) -> tuple[Tensor, Tensor]:
        """What is done of an action, ``[…, A]``, and its goal, ``[…, G]``."""
        width = self.idle.shape[-1]
        return action[..., :-width], action[..., -width:]

    def _beside(self, low: Tensor, high: Tensor, otherwise: Tensor) -> Tensor:
        return torch.cat((low, torch.where(self.switch.unsqueeze(-1) > 0.0, high, otherwise)), -1)

    def _sum(self, low: Tensor, high: Tensor) -> Tensor:
        return low + torch.where(self.switch > 0.0, high, 0.0)


@dataclass(frozen=True)
class LocatedTwoLevel(TwoLevel):
    """One whose low level can be moved. The goal stays where it is, as what is held could not follow."""

    def shifted(self, by: Tensor) -> Self:
        done, _ = self.parts(by)
        return type(self)(self.low.shifted(done), self.high, self.switch, self.idle)


pytree.register_dataclass(TwoLevel)
pytree.register_dataclass(LocatedTwoLevel)
