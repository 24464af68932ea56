"""The levels of a hierarchical policy: what a goal is, when one is drawn, and the networks of both."""

from pgrobot.policies.levels.goal import Drawn, Goal, GoalNode, Options, Reparameterised
from pgrobot.policies.levels.level import High, Level, Source
from pgrobot.policies.levels.switch import Clock, Learnt, Moment, Switch, SwitchFactory, SwitchNode

__all__ = [
    "Clock",
    "Drawn",
    "Goal",
    "GoalNode",
    "High",
    "Learnt",
    "Level",
    "Moment",
    "Options",
    "Reparameterised",
    "Source",
    "Switch",
    "SwitchFactory",
    "SwitchNode",
]
