"""Making a body of its factory, for whoever reads numbers, images or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from pgrobot.bodies.body import Body, BodyFactory
from pgrobot.errors import PgrobotError
from pgrobot.signatures import takes

Images = Mapping[str, tuple[int, ...]]  # (H, W, C) by the name of the group


def make_body(
    factory: BodyFactory,
    inputs: int,
    images: Images,
    generator: torch.Generator,
    unseen: Callable[[str], PgrobotError],
) -> Body:
    """A body that reads ``inputs`` numbers, of which the first ones are those of ``images``.

    Args:
        factory: makes it.
        inputs: how many numbers it reads, those of images included.
        images: what stands first.
        generator: the random stream of the weights.
        unseen: why a body of numbers cannot see the image of a group.

    Raises:
        PgrobotError: it sees images and there are none, or the other way round.
    """
    if not takes(factory, "images"):
        if images:
            raise unseen(next(iter(images)))
        return factory(inputs=inputs, generator=generator)
    return factory(inputs=inputs, generator=generator, images=tuple(images.values()))
