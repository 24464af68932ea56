"""Running statistics that live inside the policy and the critic, and travel with them.

They are frozen while experience is collected and while it is learnt from, and merge what was seen afterwards: the
policy that learns is the policy that acted, so the first ratio of an update is exactly one.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


class RunningMoments(nn.Module):
    """Mean and variance of everything merged so far (Chan, Golub and LeVeque 1979), in float64.

    With a finite ``memory`` of M rows they are those of about the last M: before ``n`` rows are merged, what is
    remembered counts for no more than ``M − n``, so that all of it fades by ``1 − n / M`` with every merge.

    See docs/derivations.md#memory-of-the-normalisers.

    Buffers: ``count`` scalar, ``mean`` and ``m2`` (sum of squared deviations) ``[D]``. A state may count every entry
    by itself, ``[D]``, where some were seen less often: those that a policy of another robot did not have.
    """

    count: Tensor
    mean: Tensor
    m2: Tensor

    def __init__(self, width: int, memory: float = math.inf) -> None:
        super().__init__()
        self.memory = memory
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("m2", torch.zeros(width, dtype=torch.float64))

    @torch.no_grad()
    def merge(self, rows: Tensor) -> None:
        """Merge ``rows`` ``[…, D]``."""
        rows = rows.reshape(-1, rows.shape[-1]).double()
        count = rows.shape[0]
        mean = rows.mean(0)
        kept = self.count.clamp(max=max(self.memory - count, 0.0))
        total = kept + count
        shift = mean - self.mean
        self.m2 *= torch.where(self.count > 0, kept / self.count, 1.0)
        self.m2 += (rows - mean).square().sum(0) + shift.square() * (kept * count / total)
        self.mean += shift * (count / total)
        self.count.copy_(total)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: object) -> None:
        """Take the counts in the shape that they have."""
        count = state_dict.get(f"{prefix}count", self.count)
        if count.shape != self.count.shape and count.shape in (self.mean.shape, torch.Size()):
            self.count = torch.zeros_like(count)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @property
    def variance(self) -> Tensor:
        """Population variance ``[D]``; one where nothing was merged yet."""
        return torch.where(self.count > 0, self.m2 / self.count.clamp(min=1.0), torch.ones_like(self.m2))


class ObservationNormalizer(nn.Module):
    """``clip((x − mean) / deviation, ±clip)``, with the moments of the observations merged so far.

    Args:
        width: size of the observation.
        clip: bound on the normalised observation, in deviations.
        memory: rows that the moments remember.

    Attributes:
        held: whether it stays as it is, and merges nothing.
    """

    # A feature that never varies would be divided by zero.
    _LEAST_VARIANCE = 1e-8

    offset: Tensor
    scale: Tensor

    def __init__(self, width: int, clip: float, memory: float = math.inf) -> None:
        super().__init__()
        self.clip = clip
        self.held = False
        self.moments = RunningMoments(width, memory)
        self.register_buffer("offset", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``[…, D]``."""
        return ((x - self.offset) * self.scale).clamp(-self.clip, self.clip)

    @torch.no_grad()
    def merge(self, rows: Tensor) -> None:
        """Merge observations ``[…, D]``; takes effect at once."""
        if self.held:
            return
        self.moments.merge(rows)
        self.offset.copy_(self.moments.mean)
        self.scale.copy_(self.moments.variance.clamp(min=self._LEAST_VARIANCE).rsqrt())


class ColumnScaler(nn.Module):
    """The running deviation of each column's returns: a critic predicts in these units, ``[C]``.

    Only the deviation is divided out, never the mean, so a column that is zero stays zero.

    Args:
        columns: ``C``.
        memory: rows that the moments remember.
    """

    _LEAST_VARIANCE = 1e-12

    scale: Tensor

    def __init__(self, columns: int, memory: float = math.inf) -> None:
        super().__init__()
        self.moments = RunningMoments(columns, memory)
        self.register_buffer("scale", torch.ones(columns))

    @torch.no_grad()
    def merge(self, returns: Tensor) -> Tensor:
        """Merge returns ``[…, C]`` and give the factor ``old scale / new scale`` ``[C]``.

        A column that never varied keeps the scale one.
        """
        self.moments.merge(returns)
        variance = self.moments.variance
        scale = torch.where(variance > self._LEAST_VARIANCE, variance.sqrt(), torch.ones_like(variance))
        factor = self.scale / scale.to(self.scale.dtype)
        self.scale.copy_(scale)
        return factor
