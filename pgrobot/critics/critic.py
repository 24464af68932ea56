"""What a critic is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pgrobot.unrolling import follows, unroll


class Critic(nn.Module):
    """Observations and a carry in, the return of every column out, and the next carry: all that a learner knows of it.

    Attributes:
        carry_size: width ``H`` of what it remembers between steps; 0 for a memoryless one.
        sequence: steps per chunk in an update; 1: rows are independent.
        rescaled: names of the modules whose parameters ``rescale`` moves.
        free_to_differ: arguments that do not change what it predicts, once its weights are given.
    """

    carry_size: int
    sequence: int
    rescaled: ClassVar[Sequence[str]] = ()
    free_to_differ: ClassVar[Sequence[str]] = ()

    @property
    def scale(self) -> Tensor:
        """Deviation of each column's returns, ``[C]``: the unit in which it predicts."""
        raise NotImplementedError

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Predict returns ``[…, C]`` in units of ``scale``.

        Args:
            obs: groups, ``[…, D]``.
            carry: ``[…, H]``.
            episode_start: ``[…]`` bool; the carry is forgotten there.

        Returns:
            The predictions and the next carry ``[…, H]``.
        """
        raise NotImplementedError

    def along(self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        """Predict along steps that follow each other: as ``Policy.along``, but for the action."""
        return unroll(self, obs, carry, episode_start)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        follows(cls, Critic, "forward")

    def value(self, obs: Mapping[str, Tensor]) -> Tensor:
        """Predict ``[…, C]`` in the columns' own units where episodes begin: nothing is remembered."""
        rows = next(iter(obs.values()))
        nothing = rows.new_zeros(*rows.shape[:-1], self.carry_size)
        predicted, _ = self(obs, nothing, torch.ones(rows.shape[:-1], dtype=torch.bool))
        scaled: Tensor = predicted * self.scale
        return scaled

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        """Merge observations ``[…, D]`` into the normalisers, after the update that learnt from them."""
        raise NotImplementedError

    def rescale(self, returns: Tensor) -> dict[str, Tensor]:
        """Merge returns ``[…, C]`` into ``scale``, keeping every prediction in the columns' own units where it is.

        Returns:
            By what each parameter was multiplied, by its name, to broadcast to its shape: an optimiser's moments of it
            follow. Parameters that were not moved are left out.
        """
        raise NotImplementedError
