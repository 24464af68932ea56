"""What bodies with a memory have in common: where it stands in the network, and how it begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from pgrobot.bodies.body import Body
from pgrobot.bodies.linear import linear
from pgrobot.bodies.mlp import Mlp
from pgrobot.ranges import at_least, layers
from pgrobot.unrolling import unroll

# Bias of the gates that keep what is remembered: at first most of it is kept (Jozefowicz et al. 2015, section 3.2).
KEEP = 1.0


class Recurrent(Body):
    """What is remembered, side by side with what is read, under a multilayer perceptron.

    What is read reaches the perceptron by itself, so that a memory of no use costs nothing; with ``units`` zero the
    body is the perceptron to the last bit.

    The gates are matrix products, two a step. torch's own cells have no batching rule, no forward mode or no second
    derivative, which scores, Fisher products and their like take.

    Args:
        inputs: width of what is read.
        units: width of what a step says of the memory.
        hidden: widths of the hidden layers of the perceptron; none: the features are what is read and remembered.
        activation: of the perceptron.
        sequence: steps per chunk in an update, through which gradients flow back; 1: through none.
        generator: the random stream of the weights.

    Raises:
        PgrobotError: the activation is unknown.
    """

    gates: int  # blocks of ``units`` rows that the two products consist of
    states: int  # numbers remembered per unit
    free_to_differ: ClassVar[Sequence[str]] = ("sequence",)

    def __init__(
        self,
        inputs: int,
        units: Annotated[int, at_least(0)],
        hidden: Annotated[Sequence[int], layers],
        activation: str,
        sequence: Annotated[int, at_least(1)],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.carry_size = self.states * units
        self.sequence = sequence if units else 1
        if units:
            self.input = _blocks(linear(inputs, self.gates * units, 1.0, generator), self.gates, generator)
            self.recurrent = _blocks(linear(units, self.gates * units, 1.0, generator), self.gates, generator)
            self.recurrent.register_parameter("bias", None)  # one of the two would do the same twice
            self.begin(self.input.bias.data.view(self.gates, units))
        self.mlp = Mlp(inputs + units, hidden, activation, generator)
        self.width = self.mlp.width
        self.passes_inputs = self.mlp.passes_inputs
        of_mlp = [f"mlp.{name}" for name in self.mlp.input_weights]
        self.input_weights = (*["input.weight"] * (units > 0), *of_mlp)

    def begin(self, bias: Tensor) -> None:
        """Set in place the biases of the gates, ``[gates, units]``, which are zero."""
        raise NotImplementedError

    def step(self, read: Tensor, held: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the memory.

        Args:
            read: what the gates take from what is read, ``W x + b``, ``[…, gates · units]``.
            held: what is remembered, ``[…, H]``.

        Returns:
            What it says, ``[…, units]``, and what is remembered from here on, ``[…, H]``.
        """
        raise NotImplementedError

    def forward(self, x: Tensor, carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        seen = x
        if self.carry_size:
            said, carry = self._step(self.input(x), carry, episode_start)
            seen = torch.cat((x, said), -1)
        features, _ = self.mlp(seen, carry, episode_start)
        return features, carry

    def along(self, x: Tensor, carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        """Only the products with what is remembered follow each other; all others are one product for all steps."""
        if not self.carry_size:
            return super().along(x, carry, episode_start)
        said, carries = unroll(self._step, self.input(x), carry, episode_start)
        features, _ = self.mlp(torch.cat((x, said), -1), carries[:-1], episode_start)
        return features, carries

    def _step(self, read: Tensor, carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        return self.step(read, torch.where(episode_start.unsqueeze(-1), 0.0, carry))


def _blocks(layer: nn.Linear, count: int, generator: torch.Generator) -> nn.Linear:
    """The layer with the weights of each gate orthogonal by themselves."""
    for block in layer.weight.data.chunk(count):
        nn.init.orthogonal_(block, generator=generator)
    return layer
