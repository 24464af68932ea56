"""What was done, read off what was seen before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.bodies import Predictor
from pgrobot.objectives.auxiliary import Auxiliary, Sizes, unexplained
from pgrobot.objectives.term import PolicyAt
from pgrobot.ranges import layers


@dataclass(frozen=True)
class InverseDynamics(Auxiliary):
    """Minus half the squared error of the action that a network of its own reads off both features.

    ``−½ E‖a − g(φ(o), φ(o'))‖² / A`` (Pathak et al. 2017, arXiv 1705.05363, section 2.2), with ``o'`` the true
    successor and ``a`` as it was drawn, in policy units. Its gradient reaches φ through both observations, and g; it
    reaches nothing else. What actions do not move, φ need not keep: it learns to leave noise out.

    See docs/representations.md#auxiliary-terms and docs/derivations.md#auxiliary-terms.

    Attributes:
        weight: of the term.
        hidden: widths of the hidden layers of g; none: it is linear.
        activation: of g.
    """

    weight: float
    hidden: Annotated[Sequence[int], layers]
    activation: str

    def network(self, sizes: Sizes, generator: torch.Generator) -> Predictor:
        return Predictor(2 * sizes.features, sizes.actions, self.hidden, self.activation, generator)

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        both = torch.cat((policy.encode(batch.obs), policy.encode(batch.next_obs)), -1)
        error = batch.action - policy.own(both)
        value = -0.5 * batch.mean(error.square().mean(-1))
        return value, {"auxiliary/inverse_unexplained": unexplained(error.detach(), batch.action, batch)}
