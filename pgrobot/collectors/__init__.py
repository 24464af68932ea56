"""Collectors: where experience comes from."""

from pgrobot.collectors.actions import ActionMap
from pgrobot.collectors.simulation import SimulationCollector

__all__ = ["ActionMap", "SimulationCollector"]
