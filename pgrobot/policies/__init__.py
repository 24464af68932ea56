"""Policies: modules that turn observations into a distribution over actions."""

from pgrobot.policies.gaussian import GaussianPolicy
from pgrobot.policies.policy import Policy

__all__ = ["GaussianPolicy", "Policy"]
