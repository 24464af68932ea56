"""The colours of every drawing, which stay apart without colour vision, by day and by night.

Those of the lines are Okabe and Ito's (2008); each has a line style of its own, so that no line is known by its colour
alone. A page may replace any of them where it shows an SVG: each is written as it stands here.
"""

from __future__ import annotations

from typing import Any

INK = "#1b1f24"  # text and axes
GRID = "#d0d4d9"
PAPER = "#ffffff"  # behind a drawing
UNKNOWN = "#d9d9d9"  # a cell that is not known

# blue, vermillion, green, purple, orange, sky blue; and how each is drawn
LINES: tuple[tuple[str, Any], ...] = (
    ("#0072b2", "-"),
    ("#d55e00", (0, (5, 1.5))),
    ("#009e73", (0, (1, 1))),
    ("#cc79a7", (0, (5, 1.5, 1, 1.5))),
    ("#e69f00", (0, (8, 2))),
    ("#56b4e9", (0, (2, 1))),
)
BREACH = LINES[1][0]  # of what lies above a budget

# Both are told apart without colour vision: one by its lightness alone, the other by blue against orange.
SEQUENTIAL, DIVERGING = "cividis", "PuOr"


def line_style(index: int) -> tuple[str, Any]:
    """Colour and dashes of the line of this index; after six the colours begin again with the next dashes."""
    count = len(LINES)
    return LINES[index % count][0], LINES[(index + index // count) % count][1]
