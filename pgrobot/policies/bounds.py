"""Bounds on what a network says that are never without a gradient."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_BOUNDLESS = 1e30  # room enough to be the identity, and a number that a checkpoint may hold


class SoftBounds(nn.Module):
    """Keeps a network's number between bounds: ``x ↦ start + r atan((x − start) / r)``.

    ``π r / 2`` is the distance from ``start`` to the bound on the side of ``x``. At ``start`` the value is ``start``,
    the slope one and the curvature zero on both sides, so about there it is the network's number itself. The slope
    ``1 / (1 + ((x − start) / r)²)`` falls like a power, where those of tanh and the logistic function fall
    exponentially and become zero in single precision: what was driven far out comes back.

    See docs/derivations.md#bounds-on-networks.

    Args:
        start: where a network begins, between the bounds.
        low: lower bound; minus infinity: none.
        high: upper bound; infinity: none.
    """

    start: Tensor
    below: Tensor
    above: Tensor

    def __init__(self, start: float, low: float, high: float) -> None:
        super().__init__()
        # In the state, since the network's parameters mean nothing without them.
        for name, value in (
            ("start", start),
            ("below", _reach(start - low)),
            ("above", _reach(high - start)),
        ):
            self.register_buffer(name, torch.tensor(float(value)))

    def forward(self, x: Tensor) -> Tensor:
        """Bound every number of ``x``."""
        distance = x - self.start
        reach = torch.where(distance > 0.0, self.above, self.below)
        return self.start + reach * torch.atan(distance / reach)


def _reach(room: float) -> float:
    """What ``r`` is for the distance to a bound."""
    return min(2.0 / math.pi * room, _BOUNDLESS)
