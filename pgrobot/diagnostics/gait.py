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
        plane: in which the standardised observations turn most from one step to the next, ``[D, 2]``; the phase goes
            forward in time.
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
            return cls(z.new_zeros(z.shape[-1], 2), 0.0, 0.5, math.inf)
        z = z.double()
        within = ~episode_start[1:]
        before, after = z[:-1][within], z[1:][within]
        turning = (after.T @ before - before.T @ after) / max(len(before), 1)
        # of an antisymmetric matrix the leading pair of eigenvectors is complex: its parts span the plane
        leading = torch.linalg.eigh(1j * turning).eigenvectors[:, -1]
        leading = leading * leading[leading.abs().argmax()].conj().sgn()  # eigenvectors have no phase
        plane = torch.stack((leading.real, leading.imag), -1)
        moved = _angle(z @ plane).diff(dim=0)
        moved = (moved + math.pi).remainder(2.0 * math.pi) - math.pi
        moved = moved[within]
        mean = float(moved.mean()) if len(moved) else 0.0
        if mean < 0.0:
            plane, moved, mean = plane * torch.tensor([1.0, -1.0]), -moved, -mean
        flat, basis = z.flatten(0, 1), torch.linalg.qr(plane).Q
        return cls(
            plane.to(states.x),
            float((flat @ basis).square().sum() / flat.square().sum().clamp(min=1e-12)),
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
