"""Drawings of what a run knows, by matplotlib, which is imported when the first one is drawn."""

from pgrobot.figures.drawing import image
from pgrobot.figures.heatmap import Axis, heatmap
from pgrobot.figures.panels import Panel, panels

__all__ = ["Axis", "Panel", "heatmap", "image", "panels"]
