"""Discretised torques."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, pad

from pgrobot.distributions import Binned
from pgrobot.errors import PgrobotError
from pgrobot.policies.heads.head import Head, numbers_of
from pgrobot.types import Action


class BinnedHead(Head):
    """One categorical per actuator over evenly spaced torques (Tang and Agrawal 2020, arXiv 1901.10500).

    Args:
        actions: what is drawn, ``A`` real numbers.
        bins: torques per actuator, from one end of its range to the other.
        kind: ``softmax`` gives every bin a logit of its own; ``ordinal`` gives every step from one bin to the next a
            probability (section 5 of the paper), so that bins close to each other are alike.

    Raises:
        PgrobotError: one of the actions is a choice, or there are fewer than two bins.
    """

    def __init__(self, actions: Sequence[Action], bins: int, kind: Literal["softmax", "ordinal"]) -> None:
        super().__init__()
        if bins < 2:
            raise PgrobotError(f"policy.head.bins must be at least 2, not {bins}")
        self.ordinal = kind == "ordinal"
        # The first bin of an ordinal head needs no number: there is no step into it.
        self.action_size = numbers_of(actions)
        self.shape = (self.action_size, bins - 1 if self.ordinal else bins)
        self.outputs = self.shape[0] * self.shape[1]

    def rows(self) -> Tensor:
        return torch.arange(self.outputs).view(self.shape)

    def forward(
        self, numbers: Tensor, seen: Tensor, carry: Tensor, episode_start: Tensor
    ) -> tuple[Binned, Tensor]:
        del seen, episode_start
        rows = numbers.unflatten(-1, self.shape)
        return Binned(ordinal_logits(rows) if self.ordinal else rows), carry


def ordinal_logits(steps: Tensor) -> Tensor:
    """Logits ``[…, B]`` of bins from the logits ``[…, B − 1]`` of the steps between them.

    Bin ``b`` has ``Σ_{i < b} log σ(s_i) + Σ_{i ≥ b} log(1 − σ(s_i))``: every step below it taken, none above.
    """
    taken = logsigmoid(steps).cumsum(-1)
    left = logsigmoid(-steps).flip(-1).cumsum(-1).flip(-1)
    return pad(taken, (1, 0)) + pad(left, (0, 1))
