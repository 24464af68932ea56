"""The levels of a hierarchical policy: what a goal is, and the networks that draw one and act on it."""

from pgrobot.policies.levels.goal import Drawn, Goal, GoalNode, Options, Reparameterised
from pgrobot.policies.levels.level import High, Level, Source

__all__ = ["Drawn", "Goal", "GoalNode", "High", "Level", "Options", "Reparameterised", "Source"]
