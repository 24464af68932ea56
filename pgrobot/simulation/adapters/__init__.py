"""Environments of other libraries, trained like our own."""

from pgrobot.simulation.adapters.dm_control import DmControlTask
from pgrobot.simulation.adapters.factory import Factory, FactoryTask, Lent, described
from pgrobot.simulation.adapters.given import GivenTask
from pgrobot.simulation.adapters.gymnasium import GymnasiumTask
from pgrobot.simulation.adapters.info_cost import InfoCost
from pgrobot.simulation.adapters.pixels import PixelTask

__all__ = [
    "DmControlTask",
    "Factory",
    "FactoryTask",
    "GivenTask",
    "GymnasiumTask",
    "InfoCost",
    "Lent",
    "PixelTask",
    "described",
]
