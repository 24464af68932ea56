"""Wrappers that come with pgrobot; ``pgrobot.simulation.wrappers`` says what one is."""

from pgrobot.wrappers.action_filter import ActionFilter
from pgrobot.wrappers.delay import Delay
from pgrobot.wrappers.history import History
from pgrobot.wrappers.mask import Mask
from pgrobot.wrappers.noise import Noise

__all__ = ["ActionFilter", "Delay", "History", "Mask", "Noise"]
