"""The scale of an advantage."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Normalisation = Callable[[Tensor], tuple[Tensor, Tensor]]  # the advantage, and what it was divided by


def standardised(advantage: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and scale as a whole: what reward and costs weigh against each other stays, the step's size does not."""
    scale = advantage.std(correction=0) + 1e-12
    return (advantage - advantage.mean()) / scale, scale


def centred(advantage: Tensor) -> tuple[Tensor, Tensor]:
    """Take the mean out: a constant baseline, of the very batch, so biased by one part in its size."""
    return advantage - advantage.mean(), torch.ones_like(advantage[0, 0])


def raw(advantage: Tensor) -> tuple[Tensor, Tensor]:
    """As it is: the policy gradient itself, in the unit of the reward."""
    return advantage, torch.ones_like(advantage[0, 0])


NORMALISATIONS: Mapping[str, Normalisation] = {"standardised": standardised, "centred": centred, "raw": raw}
