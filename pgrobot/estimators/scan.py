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


def window_scan(term: Tensor, decay: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """The same recurrence over ``window`` rows: ``y_t = total_t + product_t · y_{t+window}``.

    Composes windows of 1, 2, 4, … rows as the binary digits of ``window`` ask: ``2 log2(window)`` vector operations,
    and no difference of two long sums that would cancel.

    Args:
        term: ``[T, …]``.
        decay: ``[T, …]``, broadcastable to ``term``; zero cuts the recurrence.
        window: rows, at least 1.

    Returns:
        The decayed sum of each row's window and the product of its decays, ``[T, …]`` each. Rows from ``T`` on count
        as zero, so a window that reaches beyond them has the product zero.
    """
    decay = decay.expand_as(term)
    total, product = torch.zeros_like(term), torch.ones_like(term)
    covered, size = 0, 1
    while window:
        if window & 1:
            total = torch.addcmul(total, product, ahead(term, covered))
            product = product * ahead(decay, covered)
            covered += size
        window >>= 1
        if window:
            term = torch.addcmul(term, decay, ahead(term, size))
            decay = decay * ahead(decay, size)
            size *= 2
    return total, product


def ahead(x: Tensor, steps: int) -> Tensor:
    """What lies ``steps`` rows later, ``[T, …]``; zero from row ``T`` on."""
    return torch.cat((x[steps:], torch.zeros_like(x[:steps])))


def last_of_piece(done: Tensor) -> Tensor:
    """Where no later row continues the episode: its end, and the last row. ``[T, …]`` bool."""
    last = done.clone()
    last[-1] = True
    return last
