"""Vectors in the frame of a body, from unit quaternions w, x, y, z."""

from __future__ import annotations

import numpy as np


def rotation(quaternion: np.ndarray) -> np.ndarray:
    """Rotations ``[N, 3, 3]`` from the body's frame to the world's, of quaternions ``[N, 4]`` of any length but 0."""
    w, x, y, z = (quaternion / np.sqrt(np.vecdot(quaternion, quaternion))[:, None]).T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.moveaxis(np.array(rows), -1, 0)


def in_body(quaternion: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors of the world ``[N, 3]`` or ``[N, K, 3]`` in the body's frame, of the same shape."""
    turned: np.ndarray = (
        vectors[..., None, :] @ rotation(quaternion)[(slice(None), *[None] * (vectors.ndim - 2))]
    )
    return turned[..., 0, :]


def yawed(quaternion: np.ndarray, angle: float) -> np.ndarray:
    """A quaternion ``[4]`` after a turn by ``angle`` (rad) about the world's vertical."""
    c, s = np.cos(angle / 2), np.sin(angle / 2)
    w, x, y, z = quaternion
    return np.array([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w])
