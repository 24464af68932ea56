"""Wrappers that come with pgrobot; ``pgrobot.simulation.wrappers`` says what one is."""

from pgrobot.wrappers.action_filter import ActionFilter
from pgrobot.wrappers.delay import Delay
from pgrobot.wrappers.early_termination import EarlyTermination
from pgrobot.wrappers.history import History
from pgrobot.wrappers.lifted import Lifted
from pgrobot.wrappers.mask import Mask
from pgrobot.wrappers.noise import Noise
from pgrobot.wrappers.reward_weight import RewardWeight
from pgrobot.wrappers.saute import Saute

__all__ = [
    "ActionFilter",
    "Delay",
    "EarlyTermination",
    "History",
    "Lifted",
    "Mask",
    "Noise",
    "RewardWeight",
    "Saute",
]
