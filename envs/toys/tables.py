"""Reading tables of numbers from a config."""

from __future__ import annotations

import numpy as np

from pgrobot.errors import PgrobotError


def table(name: str, values: object, shape: tuple[int, ...]) -> np.ndarray:
    """Read the option ``task.<name>`` as an array.

    Raises:
        PgrobotError: it is not a table of finite numbers of this shape, or it is empty.
    """
    try:
        read = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        read = np.empty(0)
    if read.shape != shape or 0 in shape or not np.isfinite(read).all():
        raise PgrobotError(f"task.{name} has to be a table of finite numbers of the shape {list(shape)}.")
    return read
