"""Terms that teach the policy's encoder what the task's reward does not, with a network of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from pgrobot.batch import Batch
from pgrobot.objectives.term import FixedWeight

_LEAST_VARIANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a network of a term is made for.

    Attributes:
        features: width of what the encoder says.
        inputs: width of what the policy's network reads.
        actions: how many real numbers an action is.
    """

    features: int
    inputs: int
    actions: int


class Auxiliary(FixedWeight):
    """What such terms have in common.

    The parameters of their networks lie in the policy's vector behind its own, so that one solver moves both, and they
    are saved and resumed with the learner; the policy that acts, is loaded or exported does not have them.
    """

    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = False
    reads_successor: ClassVar[bool] = True
    has_network: ClassVar[bool] = True

    def network(self, sizes: Sizes, generator: torch.Generator) -> nn.Module:
        """Make the network; it has parameters and no buffers, and its weights come from the generator."""
        raise NotImplementedError


def unexplained(error: Tensor, target: Tensor, batch: Batch) -> Tensor:
    """The share of a target's variance ``[…, D]`` that an error of predicting it leaves: 1 minus R², a scalar."""
    middle = torch.stack([batch.mean(column) for column in target.unbind(-1)])
    variance = batch.mean((target - middle).square().sum(-1))
    return batch.mean(error.square().sum(-1)) / variance.clamp(min=_LEAST_VARIANCE)
