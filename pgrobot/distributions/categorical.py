"""One of several: the softmax distribution over one-hot vectors, and its differentiable stand-ins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch.utils import _pytree as pytree


@dataclass(frozen=True)
class Categorical:
    """Softmax of ``logits`` ``[…, M]`` over the ``M`` one-hot vectors: an action is one of them, ``[…, M]``.

    As a vector the action has the probabilities for its mean and ``J = diag(π) − π πᵀ`` for its covariance, which is
    also the derivative of π in the logits. A logit of −∞ rules its vector out.

    See docs/derivations.md#categorical-and-binned.
    """

    logits: Tensor

    @property
    def log_probs(self) -> Tensor:
        """``log π``, ``[…, M]``."""
        return self.logits.log_softmax(-1)

    @property
    def probs(self) -> Tensor:
        """``π``, ``[…, M]``."""
        return self.logits.softmax(-1)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw by the Gumbel-max trick: the largest of logits plus Gumbel noise."""
        return self._one_hot(self.logits + self._gumbel(generator))

    def relaxed_sample(self, generator: torch.Generator, temperature: float) -> Tensor:
        """Draw a point of the simplex that is differentiable in the logits, ``[…, M]``.

        Gumbel-softmax (Jang et al. 2017, arXiv 1611.01144; Maddison et al. 2017): as the temperature falls to zero it
        becomes what ``sample`` draws with the same generator. Its gradient is that of the relaxed objective.
        """
        return ((self.logits + self._gumbel(generator)) / temperature).softmax(-1)

    def straight_through(self, generator: torch.Generator) -> Tensor:
        """Draw what ``sample`` draws, with the gradient of π (Bengio et al. 2013, arXiv 1308.3432).

        The expected gradient of ``f`` is exact where ``f`` is linear; for ``‖z − t‖²`` it is off by ``2 J π``.
        """
        drawn, probs = self.sample(generator), self.probs
        return drawn.detach() + (probs - probs.detach())

    def log_prob(self, action: Tensor) -> Tensor:
        """Log-probability of one-hot ``action`` ``[…, M]``: ``[…]``."""
        return self.log_prob_of(action.argmax(-1))

    def log_prob_of(self, index: Tensor) -> Tensor:
        """Log-probability of the vector whose one is at ``index`` ``[…]``."""
        chosen = index.unsqueeze(-1) == torch.arange(self.logits.shape[-1], device=index.device)
        return torch.where(chosen, self.log_probs, 0.0).sum(-1)

    def entropy(self) -> Tensor:
        """Entropy in nats, ``[…]``."""
        return -(self.probs * _finite(self.log_probs)).sum(-1)

    def kl(self, other: Self) -> Tensor:
        return (self.probs * (_finite(self.log_probs) - _finite(other.log_probs))).sum(-1)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def deterministic(self) -> Tensor:
        """The most likely vector; of equally likely ones the first."""
        return self._one_hot(self.logits)

    @property
    def std(self) -> Tensor:
        probs = self.probs
        return (probs * (1.0 - probs)).sqrt()

    def _one_hot(self, scores: Tensor) -> Tensor:
        return one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)

    def _gumbel(self, generator: torch.Generator) -> Tensor:
        waiting = torch.empty(self.logits.shape, dtype=self.logits.dtype).exponential_(generator=generator)
        return -waiting.clamp(min=torch.finfo(waiting.dtype).tiny).log()  # single precision does draw zeros


def _finite(log_probs: Tensor) -> Tensor:
    """Log-probabilities whose product with a probability of zero is zero, whatever a term weighs."""
    return log_probs.clamp(min=-(torch.finfo(log_probs.dtype).max ** 0.5))


pytree.register_dataclass(Categorical)
