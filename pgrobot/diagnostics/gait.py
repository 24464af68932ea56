"""The phase of a gait, of the state alone: the angle in the plane in which observations go round."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from pgrobot.diagnostics.states import States

BINS = 16


@dataclass(frozen=True, slots=True)
class Gait:
    """Where in its cycle a robot is, as far as it has one.

    See docs/derivations.md#sensitivity.

    Attributes:
        plane: the two leading principal components of the standardised observations, ``[D, 2]``, turned so that the
            phase goes forward in time.
        variance: the share of the variance that lies in the plane.
        advance: the share of steps in which the phase goes forward: 1 of a wheel, 1/2 where there is no cycle.
        steps: of a cycle, at the mean advance; infinite where there is none.
    """

    plane: Tensor
    variance: float
    advance: float
    steps: float

    @classmethod
    def of(cls, states: States, episode_start: Tensor) -> Self:
        """Find it in a rollout; ``episode_start`` is ``[T, N]``. An observation of one number has no plane."""
        z = standardised(states, states.every)
        if z.shape[-1] < 2:
            return cls(torch.zeros(z.shape[-1], 2), 0.0, 0.5, math.inf)
        flat = z.flatten(0, 1).double()
        values, vectors = torch.linalg.eigh(flat.T @ flat / len(flat))
        plane = vectors[:, [-1, -2]]
        plane = (
            plane * plane.gather(0, plane.abs().argmax(0, keepdim=True)).sign()
        )  # eigenvectors have no sign
        moved = _angle(z.double() @ plane).diff(dim=0)
        moved = (moved + math.pi).remainder(2.0 * math.pi) - math.pi
        moved = moved[~episode_start[1:]]
        mean = float(moved.mean()) if len(moved) else 0.0
        if mean < 0.0:
            plane, moved, mean = plane * torch.tensor([1.0, -1.0]), -moved, -mean
        return cls(
            plane.float(),
            float(values[-2:].sum() / values.sum().clamp(min=1e-12)),
            float((moved > 0.0).double().mean()) if len(moved) else 0.5,
            2.0 * math.pi / mean if mean > 0.0 else math.inf,
        )

    def bins(self, states: States, x: Tensor) -> Tensor:
        """In which of the ``BINS`` parts of the cycle states ``[B, D]`` are, ``[B]``; the first begins at phase 0."""
        turns = _angle(standardised(states, x) @ self.plane) / (2.0 * math.pi)
        return (turns.remainder(1.0) * BINS).long().clamp(max=BINS - 1)

    def averaged(self, values: Tensor, bins: Tensor) -> Tensor:
        """Means of ``[B, …]`` over the states of each bin, ``[BINS, …]``; NaN where there are none."""
        sums = values.new_zeros(BINS, *values.shape[1:]).index_add_(0, bins, values)
        count = torch.bincount(bins, minlength=BINS).to(values)
        return sums / count.view(-1, *[1] * (values.dim() - 1))


def standardised(states: States, x: Tensor) -> Tensor:
    """``x`` ``[…, D]`` in deviations from the mean state; 0 where an entry never changes."""
    spread = states.spread
    return torch.where(spread > 0.0, (x - states.mean) / spread, 0.0)


def _angle(point: Tensor) -> Tensor:
    return torch.atan2(point[..., 1], point[..., 0])
