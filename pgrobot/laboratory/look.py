"""How far ahead an estimator looks before it asks the critic: all that its expectation depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pgrobot.estimators import Estimator


@dataclass(frozen=True)
class Look:
    """How far ahead an estimator looks before it asks the critic.

    Attributes:
        estimator: whatever it is.
        advantage: shares of looking 1, 2, … steps ahead.
        target: the same of the critic's target.
    """

    estimator: Estimator
    advantage: Sequence[float]
    target: Sequence[float]


def reach(shares: Sequence[float], steps: int) -> Tensor:
    """Shares of looking ``m + 1`` steps ahead from every step of a rollout, ``[T, T]``.

    What would look beyond the rollout's end looks as far as that.
    """
    found = torch.zeros(steps, steps, dtype=torch.float64)
    for step in range(steps):
        for further, share in enumerate(shares):
            found[step, min(further, steps - 1 - step)] += share
    return found
