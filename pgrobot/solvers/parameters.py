"""One flat vector: the parameters of a module as views of contiguous memory.

An optimiser step, a global norm, a Fisher product, a line search and a checkpoint are then one vector operation
each, and the named slices tell which layer a number belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from math import inf, prod
from types import MappingProxyType
from typing import Self

import torch
from torch import Tensor, nn

from pgrobot.errors import PgrobotError, nearest

AUXILIARY = "auxiliary"  # begins the names of parameters that are of no use to whoever acts


class FlatParameters:
    """Moves a module's parameters into one vector and makes the module read them from there.

    A part of the module declares what its parameters may be by an attribute ``parameter_bounds``: the least and the
    greatest value by the parameter's name. Whoever moves the vector keeps it there with ``project``.

    Networks of terms that learn beside the module lie in the vector behind it, under ``auxiliary.<term>.``.

    See docs/derivations.md#bounds-on-parameters.

    Args:
        module: whose parameters they are.
        auxiliary: networks beside it, by the name of their term.

    Attributes:
        vector: all parameters, ``[P]``; writing to it changes the module.
        slices: where each named parameter lies in the vector.
        layout: the shape of each.
        lower: the least value of each, ``[P]``; minus infinity where none is declared.
        upper: the greatest, likewise.
        buffers: what ``views`` adds to the parameters; none, but of another time.

    Raises:
        PgrobotError: a bound is declared of a parameter that is not there.
    """

    def __init__(self, module: nn.Module, auxiliary: Mapping[str, nn.Module] = MappingProxyType({})) -> None:
        beside = {
            f"{AUXILIARY}.{term}.{name}": parameter
            for term, network in auxiliary.items()
            for name, parameter in network.named_parameters()
        }
        everything = {**dict(module.named_parameters()), **beside}
        self._own = tuple(name for name in everything if name not in beside)
        self.vector = torch.cat([p.detach().reshape(-1) for p in everything.values()])
        self.slices: dict[str, slice] = {}
        self.layout: dict[str, torch.Size] = {}
        start = 0
        for name, parameter in everything.items():
            end = start + parameter.numel()
            self.slices[name] = slice(start, end)
            self.layout[name] = parameter.shape
            parameter.data = self.vector[start:end].view(parameter.shape)
            parameter.requires_grad = False  # gradients are taken with respect to the vector
            start = end
        self.lower, self.upper = (torch.full_like(self.vector, value) for value in (-inf, inf))
        for prefix, part in module.named_modules():
            for name, bounds in getattr(part, "parameter_bounds", {}).items():
                where = self.slices.get(f"{prefix}.{name}" if prefix else name)
                if where is None and name in dict(part.named_buffers()):
                    continue  # a constant, which nobody moves
                if where is None:
                    known = [own for own, _ in part.named_parameters()]
                    raise PgrobotError(
                        f"{type(part).__name__}.parameter_bounds names {name!r}, which is none of its parameters: "
                        f"{nearest(name, known)}"
                    )
                self.lower[where], self.upper[where] = bounds
        self._bounded = bool((self.lower > -inf).any() | (self.upper < inf).any())
        self.buffers: Mapping[str, Tensor] = {}

    def recalled(self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor]) -> Self:
        """The same layout over another vector, which the module does not read.

        Args:
            parameters: what the vector holds, by name.
            buffers: of the module at that time: whoever calls it with ``views`` calls it with these as well.
        """
        other = copy(self)
        other.vector = torch.cat([parameters[name].reshape(-1) for name in self.slices])
        other.buffers = buffers
        return other

    def project(self, vector: Tensor) -> Tensor:
        """The point within the bounds that is nearest to ``vector`` ``[P]``; itself where none are declared."""
        return vector.clamp(self.lower, self.upper) if self._bounded else vector

    def free(self, vector: Tensor, direction: Tensor) -> Tensor:
        """Which parameters at ``vector`` ``[P]`` may go along ``direction`` ``[P]`` at all: ``[P]`` bool.

        The others lie at a bound, and it leads out of it.
        """
        down, up = (vector <= self.lower) & (direction < 0.0), (vector >= self.upper) & (direction > 0.0)
        return ~(down | up)

    def spread(self, values: Mapping[str, Tensor]) -> Tensor:
        """A vector ``[P]`` of ones but for the named parameters, whose ``values`` broadcast to their shapes."""
        vector = torch.ones_like(self.vector)
        for name, value in values.items():
            vector[self.slices[name]] = value.expand(self.layout[name]).reshape(-1)
        return vector

    def views(self, vector: Tensor) -> dict[str, Tensor]:
        """Read any vector ``[P]`` as the module's named parameters, for ``torch.func.functional_call``."""
        named = {name: vector[self.slices[name]].view(self.layout[name]) for name in self._own}
        return {**named, **self.buffers}

    def own(self, vector: Tensor) -> Tensor:
        """The part of any vector ``[P]`` that is the module's own, without that of networks beside it."""
        return vector[: self.slices[self._own[-1]].stop] if len(self._own) < len(self.slices) else vector

    def of_policy(self) -> list[slice]:
        """Where the module's own parameters lie, one after the other."""
        return [self.slices[name] for name in self._own]

    def beside(self, vector: Tensor, term: str) -> dict[str, Tensor]:
        """Read any vector ``[P]`` as the parameters of the network of a term, likewise."""
        prefix = f"{AUXILIARY}.{term}."
        named = {name: where for name, where in self.slices.items() if name.startswith(prefix)}
        return {
            name.removeprefix(prefix): vector[where].view(self.layout[name]) for name, where in named.items()
        }

    def __len__(self) -> int:
        return sum(prod(shape) for shape in self.layout.values())
