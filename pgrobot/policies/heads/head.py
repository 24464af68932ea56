"""What a head is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from torch import Tensor, nn

from pgrobot.distributions import Distribution


class Head(nn.Module):
    """Turns the numbers of a policy's output layer into a distribution. The layer itself is the policy's.

    Attributes:
        outputs: how many numbers it reads per row, ``O``.
        action_size: width ``A`` of what is drawn.
        carry_size: width ``H`` of what it remembers between steps; 0 for a head without memory.
        parameter_bounds: least and greatest value of its own parameters by name, which solvers keep them within.
    """

    outputs: int
    action_size: int
    carry_size: int = 0
    parameter_bounds: Mapping[str, tuple[float, float]] = MappingProxyType({})

    def begin(self, output: nn.Linear) -> None:
        """Set in place what a new output layer says at first; by default it is left as it is."""
        del output

    def forward(
        self, numbers: Tensor, seen: Tensor, carry: Tensor, episode_start: Tensor
    ) -> tuple[Distribution, Tensor]:
        """Say what the numbers mean, for any number of independent rows.

        Args:
            numbers: the output layer's, ``[…, O]``.
            seen: what the policy observed, as it was, ``[…, D]``.
            carry: ``[…, H]``.
            episode_start: ``[…]`` bool; the carry is forgotten there.

        Returns:
            The distribution over what is drawn, and the next carry ``[…, H]``.
        """
        raise NotImplementedError


class HeadFactory(Protocol):
    """A head but for the number of actuators."""

    def __call__(self, *, actions: int) -> Head: ...
