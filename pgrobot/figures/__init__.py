"""Drawings of what a run knows, by matplotlib, which is imported when the first one is drawn."""

from pgrobot.figures.bars import bars
from pgrobot.figures.curves import Axes, Curve, Limit, Points, curves, smoothed
from pgrobot.figures.drawing import image
from pgrobot.figures.heatmap import Axis, heatmap
from pgrobot.figures.intervals import Interval, intervals
from pgrobot.figures.panels import Panel, panels

__all__ = [
    "Axes",
    "Axis",
    "Curve",
    "Interval",
    "Limit",
    "Panel",
    "Points",
    "bars",
    "curves",
    "heatmap",
    "image",
    "intervals",
    "panels",
    "smoothed",
]
