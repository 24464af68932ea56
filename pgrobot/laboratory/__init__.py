"""The laboratory: checks of what trains against closed forms, enumeration and identities; ``pgrobot exact``."""

from pgrobot.laboratory.arms import ArmsGradient, RegularisedArms
from pgrobot.laboratory.bandits import (
    BanditGradient,
    BanditVariance,
    Divergence,
    RegularisedBandit,
    SampleSize,
)
from pgrobot.laboratory.bootstrap import ActorCritic, AnyCritic
from pgrobot.laboratory.budgeted_arms import (
    BudgetedArms,
    ExactPenalty,
    LogBarrier,
    PolicySpace,
    ShadowPrice,
    TwoSteps,
)
from pgrobot.laboratory.budgets import BudgetedBandit, BudgetedStep, QuadraticModel
from pgrobot.laboratory.check import Check, Outcome, compare
from pgrobot.laboratory.critics import FittedReturns, FittedValue
from pgrobot.laboratory.definitions import (
    CorrectedErrors,
    CorrectedSuccessor,
    Defined,
    Definitions,
    MixedReturns,
    Rewards,
    WholeReturn,
)
from pgrobot.laboratory.finite import FiniteRegulator
from pgrobot.laboratory.invariance import Invariance
from pgrobot.laboratory.look import Look
from pgrobot.laboratory.looking import Looks
from pgrobot.laboratory.markov import EnumeratedGradient, ExpectedAdvantage
from pgrobot.laboratory.natural import (
    CompatibleFit,
    ConjugateGradient,
    FisherProduct,
    NaturalBandit,
)
from pgrobot.laboratory.regulator import LearnedGain, RegulatorGradient, RiccatiGain
from pgrobot.laboratory.stale import CorrectedValue, StaleGradient
from pgrobot.laboratory.training import FirstRatio, Identities, Identity, RatioProbe, RewardUnit
from pgrobot.laboratory.trust_region import TrustRegion
from pgrobot.laboratory.updates import ClippedSamples, FirstStep, GradientBound, MinibatchMean
from pgrobot.laboratory.variates import ControlVariates, CrossFitting, OutOfSample, StateBaseline

__all__ = [
    "ActorCritic",
    "AnyCritic",
    "ArmsGradient",
    "BanditGradient",
    "BanditVariance",
    "BudgetedArms",
    "BudgetedBandit",
    "BudgetedStep",
    "Check",
    "ClippedSamples",
    "CompatibleFit",
    "ConjugateGradient",
    "ControlVariates",
    "CorrectedErrors",
    "CorrectedSuccessor",
    "CorrectedValue",
    "CrossFitting",
    "Defined",
    "Definitions",
    "Divergence",
    "EnumeratedGradient",
    "ExactPenalty",
    "ExpectedAdvantage",
    "FiniteRegulator",
    "FirstRatio",
    "FirstStep",
    "FisherProduct",
    "FittedReturns",
    "FittedValue",
    "GradientBound",
    "Identities",
    "Identity",
    "Invariance",
    "LearnedGain",
    "LogBarrier",
    "Look",
    "Looks",
    "MinibatchMean",
    "MixedReturns",
    "NaturalBandit",
    "OutOfSample",
    "Outcome",
    "PolicySpace",
    "QuadraticModel",
    "RatioProbe",
    "RegularisedArms",
    "RegularisedBandit",
    "RegulatorGradient",
    "RewardUnit",
    "Rewards",
    "RiccatiGain",
    "SampleSize",
    "ShadowPrice",
    "StaleGradient",
    "StateBaseline",
    "TrustRegion",
    "TwoSteps",
    "WholeReturn",
    "compare",
]
