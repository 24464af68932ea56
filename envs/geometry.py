"""Small geometry shared by the arms."""

from __future__ import annotations

import numpy as np


def length(vector: np.ndarray) -> np.ndarray:
    """Euclidean length of vectors ``[N, 3]``, rounded as ``np.linalg.norm`` rounds it for a single vector."""
    return np.sqrt(np.vecdot(vector, vector))
