"""What a solver that keeps budgets still owes them: the part of an excess that its steps do not bring back."""

from __future__ import annotations

import torch
from torch import Tensor


class Arrears:
    """The integral of each cost's excess, in cost per step, by which budgets are tightened for the next step.

    A step is chosen by what it changes on the rollout that it was fitted to, and on the next one it changes less. A
    solver that asks for the excess alone stays above the budget by what is lost on the way. The integral grows until
    nothing is above it. It does not grow while steps recover: nothing else is sought then, however much is owed.

    See docs/derivations.md#arrears.

    Args:
        gain: share of the excess that is added per step; 0: nothing is ever owed.
        owed: by every cost to begin with, ``[K]``.
    """

    def __init__(self, gain: float, owed: Tensor) -> None:
        self._gain = gain
        self.owed = owed

    def after(self, slack: Tensor, *, recovering: bool) -> None:
        """Take in what is left of each budget, ``[K]``, negative where it is exceeded."""
        owed = (self.owed - self._gain * slack).clamp(min=0.0)
        self.owed = torch.minimum(owed, self.owed) if recovering else owed
