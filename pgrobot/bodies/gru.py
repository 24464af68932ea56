"""Gated recurrent units."""

from __future__ import annotations

import torch
from torch import Tensor

from pgrobot.bodies.recurrent import KEEP, Recurrent


class Gru(Recurrent):
    """Gated recurrent units (Cho et al. 2014, arXiv 1406.1078), in the form of cuDNN and of torch.

    ``r, z = σ(W x + U h + b)``, ``n = tanh(W x + b + r ∘ U h)``, ``h' = n + z ∘ (h − n)``: the gate z keeps, r lets the
    candidate n see what is remembered. See ``Recurrent`` for the arguments.

    See docs/derivations.md#memory.
    """

    gates = 3
    states = 1

    def begin(self, bias: Tensor) -> None:
        bias[1] = KEEP

    def step(self, read: Tensor, held: Tensor) -> tuple[Tensor, Tensor]:
        reset, keep, new = read.chunk(3, -1)
        let, kept, seen = self.recurrent(held).chunk(3, -1)
        keep = torch.sigmoid(keep + kept)
        new = torch.tanh(new + torch.sigmoid(reset + let) * seen)
        following = new + keep * (held - new)
        return following, following
