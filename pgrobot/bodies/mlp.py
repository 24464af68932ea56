"""Multilayer perceptrons with the initialisation on-policy control is known to want, shallow or deep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from pgrobot.bodies.body import Body
from pgrobot.bodies.linear import linear
from pgrobot.errors import PgrobotError, nearest
from pgrobot.ranges import layers

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "elu": nn.ELU, "relu": nn.ReLU, "silu": nn.SiLU}


class Residual(nn.Module):
    """``x + scale · branch(x)``."""

    def __init__(self, branch: nn.Sequential, scale: float) -> None:
        super().__init__()
        self.branch = branch
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.branch(x)


class Mlp(Body):
    """Linear layers, each with an activation behind it; without hidden layers the features are the observations.

    Layers are orthogonal with gain √2 (Andrychowicz et al. 2021, arXiv 2006.05990, section 3.2).

    In a residual network every hidden layer but the first is a branch, ``x + W σ(norm(x)) / √branches`` with ``W`` of
    gain one (pre-activation: He et al. 2016, arXiv 1603.05027). Whatever the depth, a gradient then crosses all
    branches at about the size it had: together they add a bounded amount to its square.

    See docs/derivations.md#deep-networks.

    Before layer norm the first layer's biases are standard normal. Were they zero, its features would be normalised
    to a function of the observation's direction alone, which forgets its length and jumps at the mean observation.

    Args:
        inputs: width of the observations.
        hidden: widths of the hidden layers.
        activation: one of ``ACTIVATIONS``.
        generator: the random stream of the weights.
        block: how hidden layers follow each other; residual ones have one width.
        norm: normalisation of the features before each activation.

    Raises:
        PgrobotError: the activation is unknown, or the hidden layers of a residual network differ in width.
    """

    def __init__(
        self,
        inputs: int,
        hidden: Annotated[Sequence[int], layers],
        activation: str,
        generator: torch.Generator,
        block: Literal["plain", "residual"] = "plain",
        norm: Literal["none", "layer"] = "none",
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise PgrobotError(f"Unknown activation {activation!r}; {nearest(activation, ACTIVATIONS)}")
        if block == "residual" and len(set(hidden)) > 1:
            raise PgrobotError(f"residual blocks need hidden layers of one width, not {list(hidden)}")

        def activated(width: int) -> list[nn.Module]:
            norms = [nn.LayerNorm(width)] if norm == "layer" else []
            return [*norms, ACTIVATIONS[activation]()]

        layers: list[nn.Module] = []
        self.width = inputs
        for index, width in enumerate(hidden):
            is_branch = block == "residual" and index > 0
            layer = linear(self.width, width, 1.0 if is_branch else math.sqrt(2.0), generator)
            if index == 0 and norm == "layer":
                nn.init.normal_(layer.bias, generator=generator)
            if is_branch:
                branch = nn.Sequential(*activated(self.width), layer)
                layers.append(Residual(branch, 1.0 / math.sqrt(len(hidden) - 1)))
            else:
                layers += [layer, *(activated(width) if block == "plain" else [])]
            self.width = width
        if block == "residual" and hidden:
            layers += activated(self.width)
        self.layers = nn.Sequential(*layers)
        self.passes_inputs = not hidden
        self.input_weights = () if self.passes_inputs else ("layers.0.weight",)

    def forward(self, x: Tensor, carry: Tensor, episode_start: Tensor) -> tuple[Tensor, Tensor]:
        del episode_start
        return self.layers(x), carry
