"""Multilayer perceptrons with the initialisation on-policy control is known to want, shallow or deep."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from pgrobot.errors import PgrobotError, nearest

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "elu": nn.ELU, "relu": nn.ReLU, "silu": nn.SiLU}

Block = Literal["plain", "residual"]
Norm = Literal["none", "layer"]


class Residual(nn.Module):
    """``x + scale · branch(x)``."""

    def __init__(self, branch: nn.Sequential, scale: float) -> None:
        super().__init__()
        self.branch = branch
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.branch(x)


def mlp(
    sizes: Sequence[int],
    activation: str,
    output_gain: float,
    generator: torch.Generator,
    block: Block = "plain",
    norm: Norm = "none",
) -> nn.Sequential:
    """Build linear layers with an activation between them; the last module is the linear output layer.

    Layers are orthogonal with gain √2 and the last one with ``output_gain``: a small last layer starts the policy near
    its mean and the critic near zero (Andrychowicz et al. 2021, arXiv 2006.05990, section 3.2).

    In a residual network every hidden layer but the first is a branch, ``x + W σ(norm(x)) / √branches`` with ``W`` of
    gain one (pre-activation: He et al. 2016, arXiv 1603.05027). Whatever the depth, a gradient then crosses all
    branches at about the size it had: together they add a bounded amount to its square.

    See docs/derivations.md#deep-networks.

    Before layer norm the first layer's biases are standard normal. Were they zero, its features would be normalised
    to a function of the observation's direction alone, which forgets its length and jumps at the mean observation.

    Args:
        sizes: input, hidden and output widths.
        activation: one of ``ACTIVATIONS``.
        output_gain: gain of the last layer; zero makes the output zero.
        generator: the random stream of the weights.
        block: how hidden layers follow each other; residual ones have one width.
        norm: normalisation of the features before each activation.

    Raises:
        PgrobotError: the activation is unknown, or the hidden layers of a residual network differ in width.
    """
    if activation not in ACTIVATIONS:
        raise PgrobotError(f"Unknown activation {activation!r}; {nearest(activation, ACTIVATIONS)}")
    *hidden, last = itertools.pairwise(sizes)
    widths = [outputs for _, outputs in hidden]
    if block == "residual" and len(set(widths)) > 1:
        raise PgrobotError(f"residual blocks need hidden layers of one width, not {widths}")

    def activated(width: int) -> list[nn.Module]:
        norms = [nn.LayerNorm(width)] if norm == "layer" else []
        return [*norms, ACTIVATIONS[activation]()]

    layers: list[nn.Module] = []
    for index, (inputs, outputs) in enumerate(hidden):
        is_branch = block == "residual" and index > 0
        linear = _linear(inputs, outputs, 1.0 if is_branch else math.sqrt(2.0), generator)
        if index == 0 and norm == "layer":
            nn.init.normal_(linear.bias, generator=generator)
        if is_branch:
            branch = nn.Sequential(*activated(inputs), linear)
            layers.append(Residual(branch, 1.0 / math.sqrt(len(hidden) - 1)))
        else:
            layers += [linear, *(activated(outputs) if block == "plain" else [])]
    if block == "residual" and hidden:
        layers += activated(widths[-1])
    return nn.Sequential(*layers, _linear(*last, output_gain, generator))


def _linear(inputs: int, outputs: int, gain: float, generator: torch.Generator) -> nn.Linear:
    linear = nn.utils.skip_init(nn.Linear, inputs, outputs)
    nn.init.orthogonal_(linear.weight, gain, generator=generator)
    nn.init.zeros_(linear.bias)
    return linear
