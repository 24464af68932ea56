"""Discretised torques: one categorical per actuator over bins of its range.

Tang and Agrawal 2020, arXiv 1901.10500.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from pgrobot.distributions.categorical import Categorical


@dataclass(frozen=True)
class Binned:
    """Independent categoricals over ``B`` bins per actuator; ``logits`` are ``[…, A, B]``.

    An action ``[…, A]`` holds bin centres: ``B`` values spaced evenly from −1 to 1. Probability and entropy are
    those of the bins (not densities), summed over actuators. An action between two centres counts as the nearer.

    See docs/derivations.md#categorical-and-binned.
    """

    logits: Tensor

    @property
    def bins(self) -> Categorical:
        """The categorical of every actuator, with rows ``[…, A]``."""
        return Categorical(self.logits)

    @property
    def centres(self) -> Tensor:
        """Values of the bins, ``[B]``."""
        last = self.logits.shape[-1] - 1
        index = torch.arange(last + 1, dtype=self.logits.dtype, device=self.logits.device)
        return (2.0 * index - last) / last  # symmetric to the last bit: the middle one is zero

    def sample(self, generator: torch.Generator) -> Tensor:
        return self.centres[self.bins.sample(generator).argmax(-1)]

    def relaxed_sample(self, generator: torch.Generator, temperature: float) -> Tensor:
        """Draw a mixture of bin centres, differentiable in the logits; see ``Categorical.relaxed_sample``."""
        return self.bins.relaxed_sample(generator, temperature) @ self.centres

    def straight_through(self, generator: torch.Generator) -> Tensor:
        """Draw what ``sample`` draws, with the gradient of the mean; see ``Categorical.straight_through``."""
        drawn, mean = self.sample(generator), self.mean
        return drawn + (mean - mean.detach())

    def log_prob(self, action: Tensor) -> Tensor:
        last = self.logits.shape[-1] - 1
        index = (0.5 * (action + 1.0) * last).round().clamp(0, last).long()
        return self.bins.log_prob_of(index).sum(-1)

    def entropy(self) -> Tensor:
        return self.bins.entropy().sum(-1)

    def kl(self, other: Self) -> Tensor:
        return self.bins.kl(other.bins).sum(-1)

    @property
    def mean(self) -> Tensor:
        return self.bins.probs @ self.centres

    @property
    def deterministic(self) -> Tensor:
        return self.mean

    @property
    def std(self) -> Tensor:
        probs, centres = self.bins.probs, self.centres
        centred = centres - (probs @ centres).unsqueeze(-1)
        return (probs * centred.square()).sum(-1).sqrt()


pytree.register_dataclass(Binned)
