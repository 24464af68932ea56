"""Linear probes: how much of one thing can be read off another, on rows that the reading was not fitted to."""

from __future__ import annotations

import torch
from torch import Tensor

RIDGE = (
    1e-3  # of the inputs' variance: little enough to read what is there, enough for inputs that say the same
)


def held_out(x: Tensor, y: Tensor, fold: Tensor) -> Tensor:
    """R² of a ridge regression of ``y`` on ``x``, each row predicted from the other fold alone.

    ``1 − Σ (y − ŷ)² / Σ (y − ȳ)²``: 1 where all can be read, 0 or a little below where nothing can; not a number where
    there is nothing to tell, or no row to tell it from. See docs/derivations.md#probes.

    Args:
        x: ``[B, H]``.
        y: ``[B, K]``.
        fold: ``[B]`` bool.

    Returns:
        ``[K]``, float64.
    """
    x, y = x.double(), y.double()
    error = torch.zeros(y.shape[-1], dtype=y.dtype)
    for left_out in (fold, ~fold):
        error += (y[left_out] - ridge(x[~left_out], y[~left_out], x[left_out])).square().sum(0)
    # Entries that never change but for their last bits say nothing; they are measured from their first value.
    from_first = y - y[:1]
    spread = (from_first - from_first.mean(0)).square().sum(0)
    changes = spread > 1e-12 * y.square().sum(0)
    return torch.where(changes, 1.0 - error / spread, torch.nan)


def ridge(x: Tensor, y: Tensor, at: Tensor) -> Tensor:
    """What a ridge regression of ``y`` ``[B, K]`` on ``x`` ``[B, H]`` says of ``at`` ``[C, H]``: ``[C, K]``.

    ``ȳ + X̃ (XᵀX + λ B I)⁻¹ Xᵀ (y − ȳ)`` with inputs standardised by the rows fitted, and a free offset.
    """
    middle, target = x.mean(0), y.mean(0)
    deviation = x.std(0, correction=0)
    unit = torch.where(deviation > 0.0, 1.0 / deviation, 0.0)
    inputs = (x - middle) * unit
    gram = inputs.T @ inputs + RIDGE * len(x) * torch.eye(x.shape[-1], dtype=x.dtype)
    return target + (at - middle) * unit @ torch.linalg.solve(gram, inputs.T @ (y - target))
