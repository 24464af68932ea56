"""What was done a step ago, as one more thing to read."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pgrobot.types import Action


class Shown:
    """Actions as a network reads them: real numbers as they are, a choice as so many numbers, of which one is 1.

    Args:
        actions: the entries of an action.

    Attributes:
        width: how many numbers an action is shown by.
    """

    def __init__(self, actions: Sequence[Action]) -> None:
        self._choices = tuple(action.choices for action in actions)
        self.width = sum(choices or 1 for choices in self._choices)

    def __call__(self, action: Tensor) -> Tensor:
        """Show actions ``[…, A]``: ``[…, width]``."""
        if not any(self._choices):
            return action
        entries = zip(action.split(1, -1), self._choices, strict=True)
        return torch.cat(
            [(x == torch.arange(choices)).to(x.dtype) if choices else x for x, choices in entries], -1
        )
