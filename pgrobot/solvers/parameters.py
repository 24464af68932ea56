"""One flat vector: the parameters of a module as views of contiguous memory.

An optimiser step, a global norm, a Fisher product, a line search and a checkpoint are then one vector operation
each, and the named slices tell which layer a number belongs to.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn


class FlatParameters:
    """Moves a module's parameters into one vector and makes the module read them from there.

    Attributes:
        vector: all parameters, ``[P]``; writing to it changes the module.
        slices: where each named parameter lies in the vector.
    """

    def __init__(self, module: nn.Module) -> None:
        self.vector = torch.cat([p.detach().reshape(-1) for p in module.parameters()])
        self.slices: dict[str, slice] = {}
        self._shapes: dict[str, torch.Size] = {}
        start = 0
        for name, parameter in module.named_parameters():
            end = start + parameter.numel()
            self.slices[name] = slice(start, end)
            self._shapes[name] = parameter.shape
            parameter.data = self.vector[start:end].view(parameter.shape)
            parameter.requires_grad = False  # gradients are taken with respect to the vector
            start = end

    def views(self, vector: Tensor) -> dict[str, Tensor]:
        """Read any vector ``[P]`` as the module's named parameters, for ``torch.func.functional_call``."""
        return {name: vector[where].view(self._shapes[name]) for name, where in self.slices.items()}

    def __len__(self) -> int:
        return sum(prod(shape) for shape in self._shapes.values())
