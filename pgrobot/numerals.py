"""Measured numbers as a reader wants them, the same in the terminal and in the report."""

from __future__ import annotations

import math


def numeral(value: float) -> str:
    """A number with the digits that matter at its size; a dash where it is not known."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "–"
    if value == 0.0 or 99.5 <= abs(value) < 1e7:
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


def between(low: float, high: float) -> tuple[str, str]:
    """Two numbers with the digits that tell them apart, as far as six after the point do."""
    told = numeral(low), numeral(high)
    if told[0] != told[1] or low == high or not math.isfinite(low - high):
        return told
    for digits in range(1, 7):
        told = f"{low:,.{digits}f}".replace("-", "−"), f"{high:,.{digits}f}".replace("-", "−")
        if told[0] != told[1]:
            break
    return told
