"""How often the intervals of a table over seeds cover what they estimate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from measuring import CONSOLE

from pgrobot.sweep.statistics import QUARTER, trimmed_interval

SIZES = range(2, 31)
SHARES = {"mean": 0.0, "IQM": QUARTER}


def seeds(samples: int) -> dict[str, Any]:
    """Draw samples of every size and count the intervals that hold the estimator's expectation."""
    random = np.random.default_rng(0)
    draws: dict[str, Callable[[tuple[int, int]], np.ndarray]] = {
        "normal": random.standard_normal,
        "heavy": lambda size: random.standard_t(3, size),
        "skewed": random.standard_exponential,
    }
    columns = [f"{shape}: {location}" for shape in draws for location in SHARES]
    coverage: dict[str, list[float]] = {}
    for runs in SIZES:
        coverage[str(runs)] = []
        for draw in draws.values():
            values = draw((samples, runs))
            for share in SHARES.values():
                centre, half = trimmed_interval(values, share)
                coverage[str(runs)].append(float(np.mean(np.abs(centre - centre.mean()) <= half)))
    for cells in (
        ["n", *columns],
        *([runs, *map("{:.3f}".format, found)] for runs, found in coverage.items()),
    ):
        CONSOLE.print(f"| {' | '.join(cells)} |", markup=False, soft_wrap=True)
    return {"samples": samples, "columns": columns, "coverage": coverage}
