"""Choices instead of torques: what Gymnasium calls Discrete, MultiDiscrete and MultiBinary actions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from pgrobot.distributions import MultiCategorical
from pgrobot.policies.heads.head import Head, choices_of
from pgrobot.types import Action


class CategoricalHead(Head):
    """One softmax per action over its choices; it draws their indices.

    Args:
        actions: what is drawn, ``A`` choices.

    Raises:
        PgrobotError: one of them is a real number.
    """

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        self.choices = choices_of(actions)
        self.outputs, self.action_size = sum(self.choices), len(self.choices)

    def forward(
        self, numbers: Tensor, seen: Tensor, carry: Tensor, episode_start: Tensor
    ) -> tuple[MultiCategorical, Tensor]:
        del seen, episode_start
        return MultiCategorical(self._logits(numbers)), carry

    def _logits(self, numbers: Tensor) -> Tensor:
        """A row per action, ``[…, A, M]``."""
        most = max(self.choices)
        if min(self.choices) == most:
            return numbers.unflatten(-1, (self.action_size, most))
        rows = numbers.split(self.choices, -1)
        return torch.stack([pad(row, (0, most - row.shape[-1]), value=-math.inf) for row in rows], -2)
