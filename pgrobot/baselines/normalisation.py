"""The scale of an advantage."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

# the advantage, and those whose moments count -> the advantage, and what it was divided by
Normalisation = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def standardised(advantage: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and scale as a whole: what reward and costs weigh against each other stays, the step's size does not."""
    scale = counted.std(correction=0) + 1e-12
    return (advantage - counted.mean()) / scale, scale


def centred(advantage: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Take the mean out: a constant baseline, of the very batch, so biased by one part in its size."""
    return advantage - counted.mean(), torch.ones_like(advantage[0, 0])


def raw(advantage: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """As it is: the policy gradient itself, in the unit of the reward."""
    del counted
    return advantage, torch.ones_like(advantage[0, 0])


NORMALISATIONS: Mapping[str, Normalisation] = {"standardised": standardised, "centred": centred, "raw": raw}
