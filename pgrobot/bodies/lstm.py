"""Long short-term memory."""

from __future__ import annotations

import torch
from torch import Tensor

from pgrobot.bodies.recurrent import KEEP, Recurrent


class Lstm(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with forget gates (Gers et al. 2000).

    ``i, f, o = σ(W x + U h + b)``, ``g = tanh(W x + U h + b)``, ``c' = f ∘ c + i ∘ g``, ``h' = o ∘ tanh(c')``. What is
    remembered is h beside c. See ``Recurrent`` for the arguments.

    See docs/derivations.md#memory.
    """

    gates = 4
    states = 2

    def begin(self, bias: Tensor) -> None:
        bias[1] = KEEP

    def step(self, read: Tensor, held: Tensor) -> tuple[Tensor, Tensor]:
        said, cell = held.chunk(2, -1)
        put, keep, new, show = (read + self.recurrent(said)).chunk(4, -1)
        cell = torch.sigmoid(keep) * cell + torch.sigmoid(put) * torch.tanh(new)
        said = torch.sigmoid(show) * torch.tanh(cell)
        return said, torch.cat((said, cell), -1)
