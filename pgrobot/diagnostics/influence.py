"""What each sensor does to each actuator: slopes, shares of the action, and the steepest way of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from pgrobot.diagnostics.states import States

NODES = 32  # of the Gauss–Legendre rule along the path of integrated gradients
UNUSED = 1e-3  # of the greatest attribution


@dataclass(frozen=True, slots=True)
class Influence:
    """Of ``D`` entries on ``J`` actuators, averaged over states, in policy units.

    See docs/derivations.md#sensitivity.

    Attributes:
        slope: mean of ``∂ action / ∂ z``, ``[J, D]``: z is the entry in deviations.
        strength: its root mean square, ``[J, D]``.
        attribution: mean magnitude of the entry's integrated gradient from the mean state, ``[J, D]``.
        gap: the greatest difference, over states and actuators, between the sum of the attributions and what they
            have to add up to.
        steepest: the spectral norm of ``∂ action / ∂ z`` in each state, ``[B]``.
        by_state: ``∂ action / ∂ z`` in each, ``[B, J, D]``.
    """

    slope: Tensor
    strength: Tensor
    attribution: Tensor
    gap: float
    steepest: Tensor
    by_state: Tensor

    @classmethod
    def of(cls, states: States) -> Self:
        slopes = states.slopes(states.x) * states.spread
        shares = integrated_gradients(states)
        return cls(
            slope=slopes.mean(0),
            strength=slopes.square().mean(0).sqrt(),
            attribution=shares.abs().mean(0),
            gap=completeness_gap(states, shares),
            steepest=torch.linalg.matrix_norm(slopes, 2) if slopes.numel() else slopes.new_zeros(len(slopes)),
            by_state=slopes,
        )

    @property
    def unused(self) -> Tensor:
        """Entries that no action shows, ``[D]`` bool: next to the one that it shows most they do nothing."""
        total = self.total
        return total <= UNUSED * total.max() if total.numel() else total > 0.0

    @property
    def total(self) -> Tensor:
        """Attribution over all actuators, ``[D]``: the root of the sum of squares."""
        return self.attribution.square().sum(0).sqrt()


def integrated_gradients(states: States) -> Tensor:
    """``(x − x̄) ∫₀¹ ∂ action / ∂ x (x̄ + α (x − x̄)) dα`` of every state, policy units, ``[B, J, D]``.

    See docs/derivations.md#sensitivity.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    way = states.x - states.mean
    total = torch.zeros(len(way), len(states.drawn), way.shape[-1], dtype=way.dtype)
    for node, weight in zip(0.5 * (nodes + 1.0), 0.5 * weights, strict=True):
        total += weight * states.slopes(states.mean + node * way)
    return total * way.unsqueeze(1)


@torch.no_grad()
def completeness_gap(states: States, shares: Tensor) -> float:
    """How far integrated gradients ``[B, J, D]`` are from adding up to ``action(x) − action(x̄)``."""
    whole = states.action(states.x) - states.action(states.mean.expand_as(states.x))
    difference = (shares.sum(-1) - whole).abs()
    return float(difference.max()) if difference.numel() else 0.0
