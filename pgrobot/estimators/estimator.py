"""What an estimator is."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Estimator(Protocol):
    """A pure function of all columns at once, its own parameters bound; see ``pgrobot.estimators``."""

    def __call__(
        self,
        reward: Tensor,
        value: Tensor,
        next_value: Tensor,
        terminated: Tensor,
        done: Tensor,
        log_ratio: Tensor,
        *,
        discount: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return advantage and regression target, ``[T, N, C]`` each, and every step's weight, ``[T, N]``."""
        ...
