"""What a function needs of a simulation's model, found at its first call and kept for as long as the simulation is."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from pgrobot.simulation import Simulation

T = TypeVar("T")
_known: WeakKeyDictionary[Simulation, dict[Hashable, Any]] = WeakKeyDictionary()


def once(simulation: Simulation, key: Hashable, find: Callable[[], T]) -> T:
    """What ``find`` returned when it was first asked by this ``key`` for this simulation."""
    known = _known.setdefault(simulation, {})
    if key not in known:
        known[key] = find()
    found: T = known[key]
    return found
