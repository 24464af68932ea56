"""Three small convex programs, solved by trying every set of limits that may hold with equality.

They are those of a step in a trust region under ``K`` linear limits ``rows y ≤ room``, where ``y`` ``[R]`` has at most
``K + 1`` entries. Each set gives one candidate in closed form, and the best of those that are allowed is the optimum:
the programs are convex, and its own set is among those tried. Nothing is iterated. The sets are ``2^K``, which is
little for the few budgets that a run has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

SLACK = 1e-10  # how far beyond a limit a candidate may lie, relative to the limit and to what a step as long can cost
SMALL = 1e-12  # relative size of what is rounding
Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Point:
    """Where a program ends.

    Attributes:
        y: the point ``[R]``.
        price: what one more unit of each room would add to what is maximised, ``[K]``, at least zero.
    """

    y: Array
    price: Array


def furthest(gain: Array, rows: Array, room: Array, radius: float) -> Point | None:
    """Maximise ``gain · y`` subject to ``rows y ≤ room`` and ``‖y‖ ≤ radius``.

    Args:
        gain: ``[R]``.
        rows: ``[K, R]``.
        room: ``[K]``; negative where zero is not allowed.
        radius: above zero.

    Returns:
        The optimum, of several one of them; nothing where no point within the radius is allowed.
    """
    best, most = None, -math.inf
    for held, (inverse, foot) in _faces(rows, room, len(gain)):
        spare = radius**2 - foot @ foot
        if spare < -SLACK * radius**2:
            continue
        along = gain - inverse @ (rows[held] @ gain)
        length = float(np.linalg.norm(along))
        moving = length > SMALL * float(np.linalg.norm(gain))
        y = foot + math.sqrt(max(spare, 0.0)) / length * along if moving else foot
        if _allowed(y, rows, room) and gain @ y > most + SMALL * abs(most if best else 0.0):
            price = np.zeros(len(rows))
            curvature = length / math.sqrt(spare) if moving and spare > 0.0 else 0.0
            price[held] = np.maximum(inverse.T @ (gain - curvature * y), 0.0)
            best, most = Point(y, price), float(gain @ y)
    return best


def nearest(rows: Array, room: Array) -> Point | None:
    """Minimise ``½‖y‖²`` subject to ``rows y ≤ room``; nothing where the limits contradict each other.

    Arguments as of ``furthest``.
    """
    best, least = None, math.inf
    for held, (inverse, foot) in _faces(rows, room, rows.shape[1]):
        if _allowed(foot, rows, room) and foot @ foot < least:
            price = np.zeros(len(rows))
            price[held] = np.maximum(-inverse.T @ foot, 0.0)
            best, least = Point(foot, price), float(foot @ foot)
    return best


def least_excess(rows: Array, room: Array, radius: float) -> Array:
    """Minimise the largest of ``rows y − room`` subject to ``‖y‖ ≤ radius``: ``[R]``.

    Arguments as of ``furthest``; there is at least one limit.
    """
    best, least = np.zeros(rows.shape[1]), float(np.max(-room))
    for held in _sets(len(rows), rows.shape[1] + 1):
        if not held:
            continue
        first, others = held[0], held[1:]
        differences = rows[others] - rows[first]  # those in the set exceed their limits alike
        inverse = np.linalg.pinv(differences, rcond=SMALL)
        foot = inverse @ (room[others] - room[first])
        spare = radius**2 - foot @ foot
        if spare < 0.0:
            continue
        along = inverse @ (differences @ rows[first]) - rows[first]
        length = float(np.linalg.norm(along))
        moving = length > SMALL * float(np.linalg.norm(rows[first]))
        y = foot + math.sqrt(spare) / length * along if moving else foot
        if (excess := float(np.max(rows @ y - room))) < least:
            best, least = y, excess
    return best


def _faces(rows: Array, room: Array, most: int) -> Iterator[tuple[list[int], tuple[Array, Array]]]:
    """Every set of limits that can hold together: the inverse of its rows, and the least point at which they do."""
    for held in _sets(len(rows), most):
        inverse = np.linalg.pinv(rows[held], rcond=SMALL)
        foot = inverse @ room[held]
        if np.allclose(rows[held] @ foot, room[held], rtol=1e-9, atol=0.0):
            yield held, (inverse, foot)


def _sets(count: int, most: int) -> Iterator[list[int]]:
    """The sets of at most so many of ``count`` limits, small ones first."""
    for size in range(min(count, most) + 1):
        yield from map(list, combinations(range(count), size))


def _allowed(y: Array, rows: Array, room: Array) -> bool:
    size = np.linalg.norm(y) * np.linalg.norm(rows, axis=1) + np.abs(room)
    return bool((rows @ y <= room + SLACK * size).all())
