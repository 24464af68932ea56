"""Convolutional networks, which see images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from pgrobot.bodies.body import Body
from pgrobot.bodies.mlp import ACTIVATIONS, Mlp
from pgrobot.errors import PgrobotError
from pgrobot.ranges import at_least, layers, list_of

Filters = Annotated[
    Sequence[Sequence[int]],
    list_of(
        list_of(at_least(1), "three whole numbers: how many filters, how wide, how far apart"),
        "a list of layers, each of three numbers: how many filters, how wide, how far apart, such as [16,8,4]",
    ),
]


class _Blank(nn.Conv2d):
    """One whose weights its maker sets."""

    def reset_parameters(self) -> None:
        """Draw nothing."""


class Cnn(Body):
    """Layers of filters over each image, and a multilayer perceptron above what they say and the numbers beside it.

    As of Mnih et al. 2015: every layer of filters has a ReLU behind it, and pads nothing. Filters are orthogonal with
    gain √2, as all other layers are. Images are read as they lie in a rollout, height × width × channels, from 0 to 1.

    See docs/representations.md#images.

    Args:
        inputs: width of what is read, images first.
        images: the shape ``(H, W, C)`` of each.
        filters: of each layer how many, how wide, and how far apart.
        hidden: widths of the hidden layers above; none: the features are what the filters say, and the numbers.
        activation: of the perceptron, one of ``ACTIVATIONS``.
        generator: the random stream of the weights.

    Raises:
        PgrobotError: there is no image, or one that is smaller than a filter; or a layer is not three numbers.
    """

    def __init__(
        self,
        inputs: int,
        images: Sequence[tuple[int, ...]],
        filters: Filters,
        hidden: Annotated[Sequence[int], layers],
        activation: str,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if not images:
            raise PgrobotError(
                "a cnn sees images, and nothing that is read here is one: choose policy/body=mlp, of a critic "
                "critic/body=mlp, or name the group of an image in groups"
            )
        self.images = tuple(images)
        self.sizes = [*map(math.prod, self.images), inputs - sum(map(math.prod, self.images))]
        self.filters = nn.ModuleList(_filters(shape, filters, generator) for shape in self.images)
        self.said = [_said(shape, filters) for shape in self.images]
        self.mlp = Mlp(sum(self.said) + self.sizes[-1], hidden, activation, generator)
        self.width = self.mlp.width

    def forward(self, x: Tensor, carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        *images, numbers = x.split(self.sizes, -1)
        said = [
            self._look(look, image, shape)
            for look, image, shape in zip(self.filters, images, self.images, strict=True)
        ]
        return self.mlp(torch.cat((*said, numbers), -1), carry, episode_start)

    def _look(self, look: nn.Module, image: Tensor, shape: tuple[int, ...]) -> Tensor:
        """What the filters say of an image ``[…, H W C]``: ``[…, F]``."""
        rows = image.reshape(-1, *shape).permute(0, 3, 1, 2)
        return (
            look(rows).flatten(1).unflatten(0, image.shape[:-1]) if image.dim() > 1 else look(rows).flatten()
        )


def _filters(
    shape: tuple[int, ...], filters: Sequence[Sequence[int]], generator: torch.Generator
) -> nn.Sequential:
    height, width, channels = _checked(shape)
    found: list[nn.Module] = []
    for index, layer in enumerate(filters):
        if len(layer) != 3:
            raise PgrobotError(
                f"filters.{index}={list(layer)} has to be three numbers: how many filters, how wide, how far apart"
            )
        count, kernel, stride = layer
        if kernel > min(height, width):
            raise PgrobotError(
                f"filters.{index}={list(layer)} is {kernel} wide, and what it looks at is {height} × {width}: take "
                "smaller filters, or a larger image"
            )
        convolution = _Blank(channels, count, kernel, stride)
        nn.init.orthogonal_(convolution.weight, math.sqrt(2.0), generator=generator)
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        found += [convolution, ACTIVATIONS["relu"]()]
        height, width, channels = _behind(height, layer), _behind(width, layer), count
    return nn.Sequential(*found)


def _checked(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise PgrobotError(
            f"a cnn sees images of height × width × channels, and one has the shape {shape}: give it three dimensions"
        )
    return shape[0], shape[1], shape[2]


def _behind(size: int, layer: Sequence[int]) -> int:
    """How many places a layer of filters has in an image of so many."""
    return (size - layer[1]) // layer[2] + 1


def _said(shape: tuple[int, ...], filters: Sequence[Sequence[int]]) -> int:
    """How many numbers the filters say of an image."""
    height, width, channels = shape
    for layer in filters:
        height, width, channels = _behind(height, layer), _behind(width, layer), layer[0]
    return height * width * channels
