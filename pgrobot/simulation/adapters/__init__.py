"""Environments of other libraries, trained like our own."""

from pgrobot.simulation.adapters.dm_control import DmControlTask
from pgrobot.simulation.adapters.gymnasium import GymnasiumTask
from pgrobot.simulation.adapters.info_cost import InfoCost

__all__ = ["DmControlTask", "GymnasiumTask", "InfoCost"]
