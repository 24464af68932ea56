"""What a body is."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn


class Body(nn.Module):
    """Normalised observations and a carry in, features and the next carry out.

    Attributes:
        width: number of features ``F``.
        carry_size: width ``H`` of what it remembers between steps; 0 for a body without memory.
        sequence: steps per chunk in an update, ``L``; 1: rows are independent.
    """

    width: int
    carry_size: int = 0
    sequence: int = 1

    def forward(self, x: Tensor, carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        """Look at one step, or at any number of independent rows.

        Args:
            x: normalised observations ``[…, D]``.
            carry: ``[…, H]``.
            episode_start: ``[…]`` bool; the carry is forgotten there.

        Returns:
            Features ``[…, F]`` and the next carry ``[…, H]``.
        """
        raise NotImplementedError


class BodyFactory(Protocol):
    """A body but for what it reads and the stream of its weights."""

    def __call__(self, *, inputs: int, generator: torch.Generator) -> Body: ...
