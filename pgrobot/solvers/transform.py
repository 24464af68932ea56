"""What a first-order step consists of: pure functions from the gradient to what is taken from the parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal, Protocol, Self

import torch
from torch import Tensor

from pgrobot.errors import PgrobotError

Moments = tuple[Tensor, ...]  # whatever a transform remembers between steps
Layout = Mapping[str, torch.Size]  # the shapes of the parameters by name, in the order of the flat vector
Place = Literal["anywhere", "optimizer", "after"]


class Transform(Protocol):
    """Takes an update and hands another one on; the first of a chain is given the gradient.

    Pure, tensors only, and without a branch on their values: a step is compiled.
    """

    def initial(self, vector: Tensor) -> Moments:
        """What is remembered before the first step from ``vector`` ``[P]``."""
        ...

    def step(self, update: Tensor, moments: Moments, vector: Tensor, rate: Tensor) -> tuple[Tensor, Moments]:
        """Return the next update ``[P]`` and what is remembered after it.

        Args:
            update: what the link before has made of the gradient, ``[P]``; the last one's is taken from the parameters.
            moments: what is remembered.
            vector: the parameters before the step, ``[P]``.
            rate: the learning rate, a scalar.
        """
        ...

    def rescale(self, moments: Moments, factor: Tensor) -> Moments:
        """What would be remembered if every gradient had been ``factor`` ``[P]`` times what it was."""
        ...


class Link(Protocol):
    """What a config names: a transform but for the vector that it is to be applied to.

    Attributes:
        place: where in a chain it may stand. ``optimizer``: it makes a step of a gradient, as one link of every chain
            does, in the unit of the rate; ``after``: it changes steps; ``anywhere``: gradients or steps.
    """

    place: ClassVar[Place]

    def bound(self, layout: Layout, vector: Tensor) -> Transform:
        """The transform of just this vector ``[P]``.

        Raises:
            PgrobotError: it is about parameters that are not there.
        """
        ...


class Uniform:
    """For transforms to which all parameters are alike, so that they are links as they are."""

    def bound(self, layout: Layout, vector: Tensor) -> Self:
        """Itself."""
        del layout, vector
        return self


class Forgetful:
    """For transforms that remember nothing."""

    def initial(self, vector: Tensor) -> Moments:
        """Nothing."""
        del vector
        return ()

    def rescale(self, moments: Moments, factor: Tensor) -> Moments:
        """Nothing."""
        del factor
        return moments


def entries(layout: Layout, vector: Tensor, value: Callable[[str, torch.Size], float]) -> Tensor:
    """A number for every parameter by its name and shape, as a vector ``[P]`` in the type of ``vector``.

    Raises:
        PgrobotError: the layout is that of another vector.
    """
    parts = [vector.new_full((shape.numel(),), value(name, shape)) for name, shape in layout.items()]
    whole = torch.cat((vector.new_zeros(0), *parts))
    if len(whole) != len(vector):
        raise PgrobotError(
            f"the problem names {len(whole)} of the {len(vector)} parameters that a solver moves"
        )
    return whole
