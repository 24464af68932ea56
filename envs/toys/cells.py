"""Discrete actions on the number line, so that any policy with real actions can choose among them."""

from __future__ import annotations

import numpy as np


def bounds(choices: int) -> tuple[np.ndarray, np.ndarray]:
    """The action space of ``choices`` cells: low and high, ``[1]`` each."""
    return np.zeros(1), np.full(1, float(choices))


def chosen(action: np.ndarray, choices: int) -> np.ndarray:
    """Read actions ``[N, 1]`` as choices ``[N]``.

    Choice ``k`` of ``K`` is the cell ``[k, k + 1)`` of the action space ``[0, K]``; what lies outside belongs to the
    nearest cell. A policy whose ``K`` bins cover its own range evenly therefore makes each choice with its own bin,
    whether a bin acts with its centre or the outer bins act with the ends of the range.
    """
    choice: np.ndarray = np.clip(np.floor(action[:, 0]), 0, choices - 1).astype(np.int64)
    return choice
