"""The Gaussian of an exploration that remembers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from pgrobot.distributions.gaussian import Gaussian


@dataclass(frozen=True)
class SmoothGaussian:
    """The diagonal Gaussian ``given`` what the exploration remembers, beside the deterministic action ``mean``.

    ``mean`` and the Gaussian's tensors are ``[…, A]``. Probability, entropy, deviation and KL divergence are those of
    the conditional distribution ``given``, whose own mean is ``mean`` moved by the remembered part of the noise.

    See docs/derivations.md#smooth-exploration.
    """

    mean: Tensor
    given: Gaussian

    def sample(self, generator: torch.Generator) -> Tensor:
        return self.given.sample(generator)

    def shifted(self, by: Tensor) -> Self:
        return replace(self, mean=self.mean + by, given=self.given.shifted(by))

    @property
    def deterministic(self) -> Tensor:
        return self.mean

    @property
    def std(self) -> Tensor:
        return self.given.std

    def log_prob(self, action: Tensor) -> Tensor:
        return self.given.log_prob(action)

    def entropy(self) -> Tensor:
        return self.given.entropy()

    def kl(self, other: Self) -> Tensor:
        return self.given.kl(other.given)


pytree.register_dataclass(SmoothGaussian)
