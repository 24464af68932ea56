"""MuJoCo's internal stopwatches, which read a clock at every stage of a step to fill ``mjData.timer``.

Nothing here looks at that, and short steps feel it. MuJoCo's Python bindings install the clock and offer no way to take
it out, so its global pointer ``mjcb_time`` is written.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from mujoco import _callbacks  # links the library that holds the pointer

_CLOCK = ctypes.c_void_p.in_dll(ctypes.CDLL(_callbacks.__file__), "mjcb_time")
_INSTALLED = _CLOCK.value


@contextmanager
def stopped() -> Iterator[None]:
    """Step without stopwatches; a clock set since by ``mujoco.set_mjcb_time`` goes on.

    Threads may overlap: whoever stopped the clock puts the installed one back, and no other.
    """
    if _CLOCK.value != _INSTALLED:
        yield
        return
    _CLOCK.value = None
    try:
        yield
    finally:
        _CLOCK.value = _INSTALLED
