"""Multilayer perceptrons with the initialisation on-policy control is known to want."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import nn

from pgrobot.errors import PgrobotError, nearest

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "elu": nn.ELU, "relu": nn.ReLU, "silu": nn.SiLU}


def mlp(
    sizes: Sequence[int], activation: str, output_gain: float, generator: torch.Generator
) -> nn.Sequential:
    """Build linear layers with an activation between them.

    Hidden layers are orthogonal with gain √2 and the last one with ``output_gain``: a small last layer starts the
    policy near its mean and the critic near zero (Andrychowicz et al. 2021, arXiv 2006.05990, section 3.2).

    Args:
        sizes: input, hidden and output widths.
        activation: one of ``ACTIVATIONS``.
        output_gain: gain of the last layer; zero makes the output zero.
        generator: the random stream of the weights.

    Raises:
        PgrobotError: the activation is unknown.
    """
    if activation not in ACTIVATIONS:
        raise PgrobotError(f"Unknown activation {activation!r}; {nearest(activation, ACTIVATIONS)}")
    layers: list[nn.Module] = []
    last = len(sizes) - 2
    for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        linear = nn.utils.skip_init(nn.Linear, inputs, outputs)
        gain = output_gain if index == last else math.sqrt(2.0)
        nn.init.orthogonal_(linear.weight, gain, generator=generator)
        nn.init.zeros_(linear.bias)
        layers.append(linear)
        if index < last:
            layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers)
