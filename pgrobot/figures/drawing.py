"""From what is to be drawn to the files of an image, the same whatever the user's matplotlib is set to."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pgrobot.figures.palette import GRID, INK, PAPER
from pgrobot.pictures import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 300  # for print
LETTER = 0.075  # inches, of the font below
LIGHTLY = {"compress_level": 1}  # a tenth of a report's time would go into files a little smaller
LIGHTLY = {"compress_level": 1}  # a tenth of a report's time would go into files a little smaller
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.facecolor": PAPER,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "figure.facecolor": PAPER,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "svg.fonttype": "none",  # text is text, to be found and read
    "svg.hashsalt": "pgrobot",  # the same drawing is the same file
}


def wrapped(text: str, length: float) -> str:
    """A label in as many lines as it takes along an axis of ``length`` inches."""
    return textwrap.fill(text, max(int(length / LETTER), 8))


def image(draw: Callable[[Figure], None], width: float, height: float, caption: str) -> Image:
    """Draw on an empty figure, which has no window and which nothing else in the process knows.

    Args:
        draw: puts everything on the figure.
        width: in inches.
        height: in inches.
        caption: one sentence about it, which the SVG file keeps as its title.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    png, svg = io.BytesIO(), io.BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        layout = ConstrainedLayoutEngine()
        figure = Figure(figsize=(width, height), dpi=DPI, layout=layout)
        draw(figure)
        layout.execute(figure)  # once for both files; `savefig` would do it for each, and twice
        figure.set_layout_engine("none")
        FigureCanvasAgg(figure).print_png(png, metadata={"Software": None}, pil_kwargs=LIGHTLY)
        FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Title": caption})
    return Image(png.getvalue(), svg.getvalue(), caption)
