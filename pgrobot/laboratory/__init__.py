"""The laboratory: checks of what trains against closed forms, enumeration and identities; ``pgrobot exact``."""

from pgrobot.laboratory.arms import ArmsGradient, RegularisedArms
from pgrobot.laboratory.bandits import (
    BanditGradient,
    BanditVariance,
    RegularisedBandit,
    SampleSize,
)
from pgrobot.laboratory.check import Check, Outcome, compare
from pgrobot.laboratory.critics import FittedValue
from pgrobot.laboratory.finite import FiniteRegulator
from pgrobot.laboratory.markov import ActorCritic, EnumeratedGradient, ExpectedAdvantage
from pgrobot.laboratory.natural import (
    CompatibleFit,
    ConjugateGradient,
    FisherProduct,
    Invariance,
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
    "ArmsGradient",
    "BanditGradient",
    "BanditVariance",
    "Check",
    "ClippedSamples",
    "CompatibleFit",
    "ConjugateGradient",
    "ControlVariates",
    "CorrectedValue",
    "CrossFitting",
    "EnumeratedGradient",
    "ExpectedAdvantage",
    "FiniteRegulator",
    "FirstRatio",
    "FirstStep",
    "FisherProduct",
    "FittedValue",
    "GradientBound",
    "Identities",
    "Identity",
    "Invariance",
    "LearnedGain",
    "MinibatchMean",
    "NaturalBandit",
    "OutOfSample",
    "Outcome",
    "RatioProbe",
    "RegularisedArms",
    "RegularisedBandit",
    "RegulatorGradient",
    "RewardUnit",
    "RiccatiGain",
    "SampleSize",
    "StaleGradient",
    "StateBaseline",
    "TrustRegion",
    "compare",
]
