"""What will be seen, predicted from what is seen and done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.bodies import Predictor
from pgrobot.objectives.auxiliary import Auxiliary, Sizes, unexplained
from pgrobot.objectives.term import PolicyAt
from pgrobot.ranges import layers


@dataclass(frozen=True)
class ForwardDynamics(Auxiliary):
    """Minus half the squared error with which a network of its own predicts the true successor.

    ``−½ E‖y' − f(φ(o), a)‖² / dim y'``, of which ``y'`` is a constant: what the policy's network reads of the successor
    (``target: observation``; OFENet, Ota et al. 2020, arXiv 2003.01629), or its features (``target: features``). The
    gradient reaches φ through ``o`` alone, and f; it reaches nothing else. Features that are constants predict
    themselves without an error: a target of features wants inverse dynamics beside it, which they would fail.

    See docs/representations.md#auxiliary-terms and docs/derivations.md#auxiliary-terms.

    Attributes:
        weight: of the term.
        hidden: widths of the hidden layers of f; none: it is linear.
        activation: of f.
        target: what is predicted.
    """

    weight: float
    hidden: Annotated[Sequence[int], layers]
    activation: str
    target: Literal["observation", "features"]

    def network(self, sizes: Sizes, generator: torch.Generator) -> Predictor:
        outputs = sizes.features if self.target == "features" else sizes.inputs
        return Predictor(sizes.features + sizes.actions, outputs, self.hidden, self.activation, generator)

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        seen = policy.encode if self.target == "features" else policy.inputs
        following = seen(batch.next_obs).detach()
        error = following - policy.own(torch.cat((policy.encode(batch.obs), batch.action), -1))
        value = -0.5 * batch.mean(error.square().mean(-1))
        return value, {"auxiliary/forward_unexplained": unexplained(error.detach(), following, batch)}
