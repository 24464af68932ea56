"""Wrappers that come with pgrobot; ``pgrobot.simulation.wrappers`` says what one is."""

from pgrobot.wrappers.delay import Delay
from pgrobot.wrappers.history import History
from pgrobot.wrappers.mask import Mask
from pgrobot.wrappers.noise import Noise

__all__ = ["Delay", "History", "Mask", "Noise"]
