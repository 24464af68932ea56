"""Collectors: where experience comes from."""

from pgrobot.action_map import ActionMap
from pgrobot.collectors.simulation import SimulationCollector
from pgrobot.collectors.stagger import StaggeredEnvironment

__all__ = ["ActionMap", "SimulationCollector", "StaggeredEnvironment"]
