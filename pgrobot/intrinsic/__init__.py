"""Rewards of their own making: each one a column of every rollout, beside the task's reward."""

from pgrobot.intrinsic.bonus import Bonus
from pgrobot.intrinsic.counts import Counts, GridCounts, HashedCounts
from pgrobot.intrinsic.discriminator import Discriminator
from pgrobot.intrinsic.icm import ICM
from pgrobot.intrinsic.rnd import RND

__all__ = ["ICM", "RND", "Bonus", "Counts", "Discriminator", "GridCounts", "HashedCounts"]
