"""Measured numbers as a reader wants them, the same in the terminal and in the report."""

from __future__ import annotations

import math


def numeral(value: float) -> str:
    """A number with the digits that matter at its size; a dash where it is not known."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "–"
    if value == 0.0 or 99.5 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    return f"{value:.3g}"
