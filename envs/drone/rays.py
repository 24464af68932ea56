"""How far a way is free, in many directions at once: what a ring of range finders would measure."""

from __future__ import annotations

import numpy as np


def directions(heading: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Unit vectors ``[N, R, 2]`` at angles ``[R]`` (rad) to the left of headings ``[N]``."""
    turned = heading[:, None] + angles
    return np.stack((np.cos(turned), np.sin(turned)), axis=-1)


def to_circles(ways: np.ndarray, middles: np.ndarray, radius: float) -> np.ndarray:
    """How far a point can go until it comes within a radius of something, ``[N, R]``; infinite where nothing is met.

    Args:
        ways: unit vectors, ``[N, R, 2]``.
        middles: of circles, from the point, ``[N, P, 2]``.
        radius: of the circles; 0 is free of one that the point lies in, unless its middle lies behind.
    """
    ahead = ways @ np.swapaxes(middles, 1, 2)  # [N, R, P]
    inside = radius**2 - np.vecdot(middles, middles)[:, None] + np.square(ahead)
    meets = (inside > 0.0) & (ahead > 0.0)
    far = np.where(meets, ahead - np.sqrt(np.maximum(inside, 0.0)), np.inf)
    nearest: np.ndarray = np.maximum(far.min(axis=-1, initial=np.inf), 0.0)
    return nearest


def to_walls(ways: np.ndarray, y: np.ndarray, half: float) -> np.ndarray:
    """How far it can go from ``y`` ``[N]`` until it leaves the strip ``|y| ≤ half``, ``[N, R]``."""
    sideways = ways[..., 1]
    wall = np.where(sideways > 0.0, half, -half)
    far = np.full_like(sideways, np.inf)
    np.divide(wall - y[:, None], sideways, out=far, where=sideways != 0.0)
    return np.maximum(far, 0.0)
