"""Policies: modules that turn observations into a distribution over actions."""

from pgrobot.policies.beta import BetaPolicy
from pgrobot.policies.binned import BinnedPolicy
from pgrobot.policies.full_covariance import FullCovariancePolicy
from pgrobot.policies.gaussian import GaussianPolicy
from pgrobot.policies.policy import Policy
from pgrobot.policies.smooth import SmoothPolicy
from pgrobot.policies.squashed import SquashedPolicy
from pgrobot.policies.state_std import StateStdPolicy

__all__ = [
    "BetaPolicy",
    "BinnedPolicy",
    "FullCovariancePolicy",
    "GaussianPolicy",
    "Policy",
    "SmoothPolicy",
    "SquashedPolicy",
    "StateStdPolicy",
]
