"""Drawings as matplotlib has them, before they are files: what was drawn, and where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib.figure
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine


@contextmanager
def figures() -> Iterator[list[Figure]]:
    """Every figure that is drawn meanwhile, of which no file is made."""
    drawn: list[Figure] = []

    class Noted(Figure):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            drawn.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matplotlib.figure, "Figure", Noted)
        patch.setattr(FigureCanvasAgg, "print_png", lambda *_, **__: None)
        patch.setattr(FigureCanvasSVG, "print_svg", lambda *_, **__: None)
        patch.setattr(ConstrainedLayoutEngine, "execute", lambda *_: None)
        yield drawn


def plot_of(figure: Figure) -> Axes:
    """The axes that a figure has beside those of colour bars."""
    return figure.axes[0]


def title_of(figure: Figure) -> str:
    """What stands above a figure."""
    return figure.get_suptitle() or plot_of(figure).get_title(loc="left")


def names_of(plot: Axes) -> list[str]:
    """The names of rows, in the order of their places."""
    return [label.get_text() for label in plot.get_yticklabels()]
