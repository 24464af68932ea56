"""What legged robots see of their base, ``[N, …]`` each."""

from __future__ import annotations

import numpy as np


def gravity(quaternion: np.ndarray) -> np.ndarray:
    """The direction of gravity in the frame of a body that is turned by a unit quaternion: ``[N, 4]`` to ``[N, 3]``."""
    w, x, y, z = quaternion.T
    return np.stack((2.0 * (w * y - x * z), -2.0 * (w * x + y * z), 2.0 * (x * x + y * y) - 1.0), axis=1)


def in_frame(quaternion: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Vectors of the world ``[N, 3]`` in the frame of a body that is turned by a unit quaternion ``[N, 4]``."""
    w, axis = quaternion[:, :1], -quaternion[:, 1:]
    across = 2.0 * np.cross(axis, vector)
    return vector + w * across + np.cross(axis, across)
