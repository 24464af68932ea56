"""Choices: one categorical per action, each over a number of choices of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from pgrobot.distributions.categorical import Categorical


@dataclass(frozen=True)
class MultiCategorical:
    """Independent categoricals; ``logits`` are ``[…, A, M]``, where ``M`` is the greatest number of choices.

    An action ``[…, A]`` holds indices, 0 to the action's number of choices less one, as real numbers. Logits beyond
    that are −∞. Probability and entropy are summed over actions; an action between two indices counts as the nearer.
    Mean and deviation are those of the indices.

    See docs/derivations.md#categorical-and-binned.
    """

    logits: Tensor

    @property
    def each(self) -> Categorical:
        """The categorical of every action, with rows ``[…, A]``."""
        return Categorical(self.logits)

    def sample(self, generator: torch.Generator) -> Tensor:
        return self.each.sample(generator).argmax(-1).to(self.logits.dtype)

    def log_prob(self, action: Tensor) -> Tensor:
        index = action.round().clamp(0, self.logits.shape[-1] - 1).long()
        return self.each.log_prob_of(index).sum(-1)

    def entropy(self) -> Tensor:
        return self.each.entropy().sum(-1)

    def kl(self, other: Self) -> Tensor:
        return self.each.kl(other.each).sum(-1)

    @property
    def deterministic(self) -> Tensor:
        """The most likely index of every action, ``[…, A]``; of equally likely ones the first."""
        return self.logits.argmax(-1).to(self.logits.dtype)

    @property
    def mean(self) -> Tensor:
        return self.each.probs @ self._indices

    @property
    def std(self) -> Tensor:
        probs, indices = self.each.probs, self._indices
        centred = indices - (probs @ indices).unsqueeze(-1)
        variance = (probs * centred.square()).sum(-1)
        return variance.clamp(min=torch.finfo(variance.dtype).tiny).sqrt()  # a root of zero has no derivative

    @property
    def _indices(self) -> Tensor:
        return torch.arange(self.logits.shape[-1], dtype=self.logits.dtype, device=self.logits.device)


pytree.register_dataclass(MultiCategorical)
