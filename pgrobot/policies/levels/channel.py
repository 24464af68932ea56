"""How a goal gets from the level that draws it to the one that holds it."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from pgrobot.distributions import Distribution, Gaussian, Pathwise


class Channel:
    """What is drawn is the goal.

    Attributes:
        width: of what has to be kept from when the high level speaks until something is drawn, ``K``.
    """

    width: int = 0

    def opened(self, said: Distribution) -> tuple[Distribution, Tensor]:
        """What is drawn given what the high level says of goals, and what is kept of that, ``[…, K]``."""
        return said, said.deterministic[..., :0]

    def held(self, drawn: Tensor, kept: Tensor) -> Tensor:
        """The goal that follows from what was drawn, ``[…, G]`` both. No parameter enters."""
        del kept
        return drawn

    def idle(self, held: Tensor) -> Tensor:
        """What stands for what is drawn where nothing is: the goal that is held, ``[…, G]``."""
        return held


class NoiseChannel(Channel):
    """What is drawn is noise, and the goal a differentiable map of it, whose tensors are kept as one row.

    Args:
        said: what the high level says of goals, on any rows ``[B]``.
    """

    def __init__(self, said: Distribution) -> None:
        self._said = said  # for its structure, which torch would warn of if it were copied by itself
        self._shapes = [leaf.shape[1:] for leaf in pytree.tree_leaves(said)]
        sizes = [prod(shape) for shape in self._shapes]
        ends = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
        self._places = [slice(*ends_of) for ends_of in pairwise(ends)]
        self.width = ends[-1]

    def opened(self, said: Distribution) -> tuple[Distribution, Tensor]:
        nothing = torch.zeros_like(said.deterministic)
        rows = nothing.dim() - 1
        kept = [leaf.flatten(rows) for leaf in pytree.tree_leaves(said)]
        return Gaussian(nothing, nothing), torch.cat(kept, -1)

    def held(self, drawn: Tensor, kept: Tensor) -> Tensor:
        leaves = [
            kept[..., place].unflatten(-1, shape)
            for place, shape in zip(self._places, self._shapes, strict=True)
        ]
        said: Pathwise = pytree.tree_unflatten(leaves, pytree.tree_structure(self._said))
        return said.from_noise(drawn)

    def idle(self, held: Tensor) -> Tensor:
        return torch.zeros_like(held)
