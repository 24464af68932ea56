"""A network that predicts, for whoever learns beside the policy: bonuses and auxiliary terms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pgrobot.bodies.linear import linear
from pgrobot.bodies.mlp import Mlp


class Predictor(nn.Module):
    """A multilayer perceptron with a linear layer above: ``[…, inputs]`` to ``[…, outputs]``.

    Args:
        inputs, outputs: widths.
        hidden, activation: as of ``Mlp``.
        generator: the random stream of the weights.
    """

    def __init__(
        self, inputs: int, outputs: int, hidden: Sequence[int], activation: str, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.body = Mlp(inputs, hidden, activation, generator)
        self.output = linear(self.body.width, outputs, 1.0, generator)

    def forward(self, x: Tensor) -> Tensor:
        said: Tensor = self.output(self.body.layers(x))
        return said
