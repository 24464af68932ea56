"""RMSprop on a flat vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from pgrobot.ranges import above, at_least, fading
from pgrobot.solvers.transform import Moments, Place, Uniform


@dataclass(frozen=True)
class RMSprop(Uniform):
    """RMSprop (Tieleman and Hinton 2012): the gradient over the root of its running mean square.

    ``v ← α v + (1 − α) g²``, then ``g / (√v + ε)`` with epsilon outside the root (PyTorch) or ``g / √(v + ε)`` with
    epsilon inside (TensorFlow 1, in which A2C was first published; it also starts from ``v = 1``, so that the first
    steps are short, where ``v = 0`` makes them ``1 / √(1 − α)`` times the rate).

    See docs/derivations.md#rmsprop-and-sgd.

    Attributes:
        decay: α.
        epsilon: ε, what bounds the step where gradients vanish.
        epsilon_place: ``outside`` or ``inside`` the root.
        initial_square: v before the first step.
    """

    place: ClassVar[Place] = "optimizer"
    decay: Annotated[float, fading]
    epsilon: Annotated[float, above(0.0)]
    epsilon_place: Literal["outside", "inside"]
    initial_square: Annotated[float, at_least(0.0)]

    def initial(self, vector: Tensor) -> Moments:
        """The running mean square ``[P]``."""
        return (torch.full_like(vector, self.initial_square),)

    def step(self, update: Tensor, moments: Moments, vector: Tensor, rate: Tensor) -> tuple[Tensor, Moments]:
        (square,) = moments
        square = self.decay * square + (1.0 - self.decay) * update.square()
        inside = self.epsilon_place == "inside"
        root = (square + self.epsilon).sqrt() if inside else square.sqrt() + self.epsilon
        return rate * update / root, (square,)

    def rescale(self, moments: Moments, factor: Tensor) -> Moments:
        """The moments of gradients ``factor`` ``[P]`` times as large."""
        (square,) = moments
        return (square * factor.square(),)
