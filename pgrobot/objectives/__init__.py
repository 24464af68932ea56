"""Terms of the policy objective, each a pure function of a distribution and a batch, to be maximised."""

from pgrobot.objectives.entropy import Entropy
from pgrobot.objectives.policy_gradient import ClippedRatio
from pgrobot.objectives.term import Objective

__all__ = ["ClippedRatio", "Entropy", "Objective"]
