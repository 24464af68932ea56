"""The linear layer that every network here is made of."""

from __future__ import annotations

import torch
from torch import nn


class _Blank(nn.Linear):
    """One whose weights its maker sets. ``nn.utils.skip_init`` takes half a second to import symbolic mathematics."""

    def reset_parameters(self) -> None:
        """Draw nothing."""


def linear(inputs: int, outputs: int, gain: float, generator: torch.Generator) -> nn.Linear:
    """A linear layer with orthogonal weights of a gain, and biases of zero.

    Args:
        inputs: width of what it reads.
        outputs: width of what it says.
        gain: of the weights: √2 before an activation, small in a last layer; zero makes the outputs zero.
        generator: the random stream of the weights.
    """
    layer = _Blank(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
