"""What an action distribution is."""

from __future__ import annotations

from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor


class Drawable(Protocol):
    """What whoever acts draws from. Leading dimensions ``…`` are those of the observations."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one action per row, ``[…, A]``."""
        ...

    def log_prob(self, action: Tensor) -> Tensor:
        """Joint log-density of ``action`` ``[…, A]``, summed over action dimensions: ``[…]``."""
        ...

    @property
    def deterministic(self) -> Tensor:
        """The action where none is drawn, ``[…, A]``: the mean, or the most likely of choices."""
        ...


class Distribution(Drawable, Protocol):
    """What a policy that learns returns."""

    def entropy(self) -> Tensor:
        """Differential entropy in nats, ``[…]``."""
        ...

    def kl(self, other: Self) -> Tensor:
        """KL(self ‖ other) in nats, ``[…]``."""
        ...

    @property
    def mean(self) -> Tensor:
        """Expectation of the action, ``[…, A]``."""
        ...

    @property
    def std(self) -> Tensor:
        """Standard deviation of each action dimension, ``[…, A]``."""
        ...


@runtime_checkable
class Located(Protocol):
    """A distribution with a place: as a whole it can be moved, and nothing else of it changes.

    See docs/derivations.md#gradients-by-actuator.
    """

    def shifted(self, by: Tensor) -> Self:
        """The same, every action ``by`` ``[…, A]`` further on."""
        ...


@runtime_checkable
class Pathwise(Protocol):
    """A distribution that is a differentiable map of standard normal noise.

    See docs/derivations.md#reparameterised-goals.
    """

    def from_noise(self, noise: Tensor) -> Tensor:
        """What is drawn where the noise is ``[…, A]``, differentiable in the distribution's tensors."""
        ...
