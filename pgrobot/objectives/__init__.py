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

# What the terms read, for whoever composes them: the surrogates multiply the advantage, all but the likelihood by π/μ
# as well, and no other term reads it.
WITH_RATIO = (ClippedRatio, DecoupledClippedRatio, Ratio, SimplePolicyOptimization)
SURROGATES = (*WITH_RATIO, Likelihood)
WITHOUT_ADVANTAGE = (AdaptiveKLPenalty, ControlVariate, Entropy, EstimatedEntropy, KLPenalty)
WITH_REFERENCE = (AdaptiveKLPenalty, ControlVariate, DecoupledClippedRatio, KLPenalty)  # the averaged policy

__all__ = [
    "SURROGATES",
    "WITHOUT_ADVANTAGE",
    "WITH_RATIO",
    "WITH_REFERENCE",
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
