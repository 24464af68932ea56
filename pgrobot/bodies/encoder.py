"""A network in two parts: what makes features of what is observed, and what acts or values by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from pgrobot.bodies.body import Body, BodyFactory
from pgrobot.bodies.linear import linear
from pgrobot.bodies.making import make_body
from pgrobot.bodies.trial import try_body
from pgrobot.errors import PgrobotError
from pgrobot.ranges import Called, at_least


class Encoder(Body):
    """``rest(φ(x))``: an encoder φ without memory, and any body above it.

    Auxiliary terms of the objective learn from φ beside the policy, and a critic may read what it says. With an encoder
    that has no layers, and no ``features``, it is the body above to the last bit.

    See docs/representations.md.

    Args:
        inputs: width of what is read.
        encoder: makes φ up to its features.
        features: width of a linear layer above it, which is then a part of φ; 0: none.
        rest: makes what reads φ's features.
        generator: the random stream of the weights.
        images: as of ``BodyFactory``; the encoder sees them.

    Raises:
        PgrobotError: the encoder remembers, or a part refuses its values.
    """

    def __init__(
        self,
        inputs: int,
        encoder: Annotated[BodyFactory, Called("hidden", BodyFactory)],
        features: Annotated[int, at_least(0)],
        rest: Annotated[BodyFactory, Called("hidden", BodyFactory)],
        generator: torch.Generator,
        images: Sequence[tuple[int, ...]] = (),
    ) -> None:
        super().__init__()
        seen = {f"image {i}": shape for i, shape in enumerate(images)}
        self.encoder = make_body(encoder, inputs, seen, generator, _blind)
        try_body("body.encoder", self.encoder, inputs)
        if self.encoder.carry_size:
            raise PgrobotError(
                f"body.encoder is a {type(self.encoder).__name__}, which remembers, and what is encoded is one "
                "observation alone: choose a body without memory for it, and the other one for body.rest"
            )
        self.encodes = features or self.encoder.width
        if features:
            self.features = linear(self.encoder.width, features, 1.0, generator)
        self._projects = features > 0
        self.rest = make_body(rest, self.encodes, {}, generator, _blind)
        try_body("body.rest", self.rest, self.encodes)
        self.width, self.carry_size, self.sequence = self.rest.width, self.rest.carry_size, self.rest.sequence
        reading = [f"encoder.{name}" for name in self.encoder.input_weights]
        passes = self.encoder.passes_inputs  # what stands above reads them then
        if passes and not features:
            reading += [f"rest.{name}" for name in self.rest.input_weights]
        self.input_weights = (*reading, *["features.weight"] * (passes and features > 0))
        self.passes_inputs = passes and not features and self.rest.passes_inputs

    def encode(self, x: Tensor) -> Tensor:
        nothing = x[..., :0]
        features, _ = self.encoder(x, nothing, nothing.sum(-1) > 0.0)
        return self.features(features) if self._projects else features

    def forward(self, x: Tensor, carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        return self.rest(self.encode(x), carry, episode_start)

    def along(self, x: Tensor, carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        return self.rest.along(self.encode(x), carry, episode_start)


def _blind(image: str) -> PgrobotError:
    return PgrobotError(
        f"body.encoder is a body of numbers, which would not see {image} of those observed: what does is cnn, "
        "as in policy/body@policy.body.encoder=cnn, and of a critic policy/body@critic.body.encoder=cnn"
    )
