"""Drawings of what a run knows, by matplotlib, which is imported when the first one is drawn."""

from pgrobot.figures.drawing import image
from pgrobot.figures.heatmap import Axis, heatmap

__all__ = ["Axis", "heatmap", "image"]
