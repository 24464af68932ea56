"""What is taken over from another run: all of a policy, its low level, or what of it another robot has by name."""

from pgrobot.transfer.beginning import ANEW, Beginning, initialise
from pgrobot.transfer.low_level import LowLevel
from pgrobot.transfer.porting import Matching, Ported, ported
from pgrobot.transfer.source import Source, opened

__all__ = [
    "ANEW",
    "Beginning",
    "LowLevel",
    "Matching",
    "Ported",
    "Source",
    "initialise",
    "opened",
    "ported",
]
