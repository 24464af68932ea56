"""Terms of the policy objective, each a pure function of a distribution and a batch, to be maximised."""

from pgrobot.objectives.control import ControlVariate
from pgrobot.objectives.entropy import Entropy, EstimatedEntropy
from pgrobot.objectives.kl import AdaptiveKLPenalty, KLPenalty
from pgrobot.objectives.policy_gradient import (
    ClippedRatio,
    DecoupledClippedRatio,
    Likelihood,
    Ratio,
    SimplePolicyOptimization,
)
from pgrobot.objectives.term import FixedWeight, Objective

# The surrogates that multiply the advantage by π/μ themselves.
WITH_RATIO = (ClippedRatio, DecoupledClippedRatio, Ratio, SimplePolicyOptimization)

__all__ = [
    "WITH_RATIO",
    "AdaptiveKLPenalty",
    "ClippedRatio",
    "ControlVariate",
    "DecoupledClippedRatio",
    "Entropy",
    "EstimatedEntropy",
    "FixedWeight",
    "KLPenalty",
    "Likelihood",
    "Objective",
    "Ratio",
    "SimplePolicyOptimization",
]
