"""Cross-fitting: what is taken from a trajectory is fitted on the others.

A baseline that has seen a step's own action is no baseline: ``E[∇log π(a|s) b]`` is zero only where ``b`` does not
depend on ``a``. Environments do not depend on each other within a rollout, so the folds are made of whole ones. A
single environment is cut where its episodes end; all that one piece then tells of another is how much of it was seen.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def folds(done: Tensor, counts: Tensor, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the rows ``[T, N]`` bool of each fold and those that its baseline is fitted on, where there are any.

    Args:
        done: the last step of an episode, ``[T, N]`` bool.
        counts: what may be fitted on, ``[T, N]`` bool: no padding.
        count: of folds, at most. A single one is fitted on itself, which biases what it is applied to.
    """
    fold = _trajectory(done) % count
    for index in range(int(fold.max()) + 1):
        own = fold == index
        fitted_on = (~own if count > 1 else own) & counts
        if fitted_on.any():
            yield own, fitted_on


def fitted_mean(value: Tensor, weight: Tensor, done: Tensor, counts: Tensor, count: int) -> Tensor:
    """For every row the weighted mean of ``value`` over what its fold is fitted on: see ``folds``.

    Zero where there is nothing to fit on, or only what weighs nothing.
    """
    mean = torch.zeros_like(value)
    for own, fitted_on in folds(done, counts, count):
        mass = weight[fitted_on].sum()
        mean[own] = torch.where(mass > 0.0, (value * weight)[fitted_on].sum() / mass, 0.0)
    return mean


def _trajectory(done: Tensor) -> Tensor:
    steps, environments = done.shape
    if environments > 1:
        return torch.arange(environments).expand(steps, environments)
    return done.cumsum(0) - done.long()
