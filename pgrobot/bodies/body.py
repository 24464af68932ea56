"""What a body is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from pgrobot.unrolling import follows, unmoved, unroll


class Body(nn.Module):
    """Normalised observations and a carry in, features and the next carry out.

    Attributes:
        width: number of features ``F``.
        carry_size: width ``H`` of what it remembers between steps; 0 for a body without memory.
        sequence: steps per chunk in an update, ``L``; 1: rows are independent.
        free_to_differ: arguments that do not change what it computes, once its weights are given.
        input_weights: names of its weights ``[…, D + …]`` whose first columns are those of its inputs, in their order;
            a body that names none, and does not pass its inputs on, cannot be ported to a robot that has others.
        passes_inputs: whether its features begin with its inputs as they are.
        encodes: width of the features that ``encode`` gives; 0: it has no encoder.
    """

    width: int
    carry_size: int = 0
    sequence: int = 1
    free_to_differ: ClassVar[Sequence[str]] = ()
    input_weights: Sequence[str] = ()
    passes_inputs: bool = False
    encodes: int = 0

    def encode(self, x: Tensor) -> Tensor:
        """What an encoder within makes of normalised observations ``[…, D]``: ``[…, encodes]``."""
        raise NotImplementedError

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

    def along(self, x: Tensor, carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        """Look at steps that follow each other: what ``forward`` says of each, with the carry of the one before.

        Override it where that can be computed faster; a class that overrides ``forward`` alone is unrolled again.

        Args:
            x: normalised observations ``[L, …, D]``.
            carry: before the first step, ``[…, H]``.
            episode_start: ``[L, …]`` bool.

        Returns:
            Features ``[L, …, F]``, and the carry before each step and after the last, ``[L + 1, …, H]``.
        """
        if self.carry_size:
            return unroll(self, x, carry, episode_start)
        carries = unmoved(carry, len(x))
        return self(x, carries[:-1], episode_start)[0], carries

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        follows(cls, Body, "forward")


class BodyFactory(Protocol):
    """A body but for what it reads and the stream of its weights.

    One that has a parameter ``images`` is given the shape ``(H, W, C)`` of every image: they stand first among the
    inputs, in row-major order and between 0 and 1. A body without it is given none.
    """

    def __call__(
        self,
        *,
        inputs: int,
        generator: torch.Generator,
        images: Sequence[tuple[int, ...]] = ...,
    ) -> Body: ...
