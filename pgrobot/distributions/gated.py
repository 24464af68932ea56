"""The distribution of a goal that is drawn if a switch fires, and kept if it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from pgrobot.distributions.multi_categorical import MultiCategorical


@dataclass(frozen=True)
class Gated:
    """``log π(z, b) = log β(b) + b · log π_high(z)``; what is drawn is both side by side, ``[…, G + 1]``.

    Where a goal is due nobody is asked: ``b`` is 1 for certain. Where none is drawn, ``idle`` stands in its place,
    which has no probability to speak of.

    ``due`` and ``idle`` are a part of the state: two distributions that are compared have the same.

    See docs/derivations.md#a-learnt-switch.

    Attributes:
        switch: over the two choices, to keep the goal or to draw one, ``[…, 1]``.
        high: over the goal, ``[…, G]``.
        due: 1 where one is drawn in any case, ``[…]``.
        idle: what stands for the goal where none is drawn, ``[…, G]``.
    """

    switch: MultiCategorical
    high: Any  # a Distribution, of a type of its own
    due: Tensor
    idle: Tensor

    @property
    def probability(self) -> Tensor:
        """Of a draw, ``[…]``."""
        return torch.where(self.due > 0.0, 1.0, self.switch.mean.squeeze(-1))

    def sample(self, generator: torch.Generator) -> Tensor:
        return self._beside(self.switch.sample(generator), self.high.sample(generator))

    def log_prob(self, action: Tensor) -> Tensor:
        goal, fires = action[..., :-1], action[..., -1:]
        of_goal = torch.where(self._draws(fires).squeeze(-1), self.high.log_prob(goal), 0.0)
        return self._asked(self.switch.log_prob(fires)) + of_goal

    def entropy(self) -> Tensor:
        return self._asked(self.switch.entropy()) + self.probability * self.high.entropy()

    def kl(self, other: Self) -> Tensor:
        return self._asked(self.switch.kl(other.switch)) + self.probability * self.high.kl(other.high)

    @property
    def mean(self) -> Tensor:
        p = self.probability.unsqueeze(-1)
        return torch.cat((p * self.high.mean + (1.0 - p) * self.idle, p), -1)

    @property
    def deterministic(self) -> Tensor:
        return self._beside(self.switch.deterministic, self.high.deterministic)

    @property
    def std(self) -> Tensor:
        """Of what is certain one, of which nothing follows: it stands at its mean, whatever that is divided by."""
        p = self.probability.unsqueeze(-1)
        between = p * (1.0 - p) * (self.high.mean - self.idle).square()
        goal = (p * self.high.std.square() + between).sqrt()
        return torch.cat((goal, torch.where(self.due.unsqueeze(-1) > 0.0, 1.0, self.switch.std)), -1)

    def _draws(self, fires: Tensor) -> Tensor:
        """Where a goal is drawn, ``[…, 1]`` bool."""
        return (fires > 0.5) | (self.due.unsqueeze(-1) > 0.0)

    def _beside(self, fires: Tensor, goal: Tensor) -> Tensor:
        draws = self._draws(fires)
        return torch.cat((torch.where(draws, goal, self.idle), draws.to(goal.dtype)), -1)

    def _asked(self, x: Tensor) -> Tensor:
        """``x`` where the switch is asked, 0 elsewhere."""
        return torch.where(self.due > 0.0, 0.0, x)


pytree.register_dataclass(Gated)
