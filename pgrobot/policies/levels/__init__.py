"""The levels of a hierarchical policy: what a goal is, and the networks that draw one and act on it."""

from pgrobot.policies.levels.goal import Drawn, Goal, Options, Reparameterised
from pgrobot.policies.levels.level import High, Level

__all__ = ["Drawn", "Goal", "High", "Level", "Options", "Reparameterised"]
