"""Policies: modules that turn observations into a distribution over actions. What kind of one is for their heads."""

from pgrobot.policies.heads.head import Head, HeadFactory, choices_of, numbers_of
from pgrobot.policies.hierarchical import HierarchicalPolicy
from pgrobot.policies.network import NetworkPolicy
from pgrobot.policies.policy import Acting, Policy

__all__ = [
    "Acting",
    "Head",
    "HeadFactory",
    "HierarchicalPolicy",
    "NetworkPolicy",
    "Policy",
    "choices_of",
    "numbers_of",
]
