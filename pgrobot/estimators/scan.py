"""The linear recurrence every estimator runs backwards in time."""

from __future__ import annotations

import torch
from torch import Tensor


def reverse_scan(term: Tensor, decay: Tensor) -> Tensor:
    """Solve ``y_t = term_t + decay_t · y_{t+1}`` with ``y_T = 0``, along the first dimension.

    Doubles the horizon of every row at once (Hillis and Steele, 1986): ``log2 T`` vector operations, so a single
    environment with 2,048 steps costs no more than 64 environments with 32.

    Args:
        term: ``[T, …]``.
        decay: ``[T, …]``, broadcastable to ``term``; zero cuts the recurrence.

    Returns:
        ``[T, …]``.
    """
    steps = term.shape[0]
    decay = decay.expand_as(term)
    reach = 1
    while reach < steps:
        term = torch.cat((torch.addcmul(term[:-reach], decay[:-reach], term[reach:]), term[-reach:]))
        # Rows whose horizon already ends at T meet y_T = 0: what decay they keep multiplies nothing.
        decay = torch.cat((decay[:-reach] * decay[reach:], decay[-reach:]))
        reach *= 2
    return term
