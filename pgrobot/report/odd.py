"""Values that would spoil a drawing: those that are no finite numbers, and those that lie far from all others."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from pgrobot.numerals import numeral
from pgrobot.report.history import History

MOST_OF_THEM = 0.9  # quantile of the magnitudes
FAR = 100.0  # times it: what is drawn with one that is larger is a flat line
FEW = 0.05  # of the values: more are no outliers, whatever their size
MOST_TOLD = 3


def reach(values: np.ndarray) -> float:
    """The magnitude beyond which values are left out, so that the others are no flat line; infinite where none is."""
    sizes = np.abs(values[np.isfinite(values)])
    if not len(sizes):
        return math.inf
    bound = FAR * float(np.quantile(sizes, MOST_OF_THEM, method="lower"))
    outlying = int((sizes > bound).sum())
    return bound if bound > 0.0 and 0 < outlying <= max(1.0, FEW * len(sizes)) < len(sizes) else math.inf


def left_out(values: np.ndarray) -> str:
    """What was left out, in a sentence; empty where nothing was."""
    if not len(values):
        return ""
    told = ", ".join(map(numeral, values[:MOST_TOLD].tolist())) + ", …" * (len(values) > MOST_TOLD)
    return (
        f" Left out, for beside {'it' if len(values) == 1 else 'them'} all else is a flat line: {told}, "
        f"where the triangle{'s are' if len(values) > 1 else ' is'}."
    )


def unknown(history: History, metrics: Iterable[str]) -> str:
    """How many values of metrics are no finite numbers; empty where all are."""
    told = [
        f"{odd} of {history.told[name]} values of {name} are not finite"
        for name in metrics
        if (odd := history.odd.get(name, 0))
    ]
    return f" {'; '.join(told)}, and left out." if told else ""
