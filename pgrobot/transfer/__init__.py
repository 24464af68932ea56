"""What is taken over from another run: all of a policy, its low level, or what of it another robot has by name."""

from pgrobot.transfer.beginning import ANEW, Beginning, Source, initialise, opened
from pgrobot.transfer.low_level import LowLevel
from pgrobot.transfer.porting import Matching, Ported, ported

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
