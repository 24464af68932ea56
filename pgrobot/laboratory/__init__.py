"""The laboratory: checks of what trains against closed forms, enumeration and identities; ``pgrobot exact``."""

from pgrobot.laboratory.bandits import (
    ArmsGradient,
    BanditGradient,
    BanditVariance,
    RegularisedArms,
    RegularisedBandit,
    SampleSize,
)
from pgrobot.laboratory.check import Check, Outcome, compare
from pgrobot.laboratory.markov import ActorCritic, EnumeratedGradient, ExpectedAdvantage
from pgrobot.laboratory.natural import (
    CompatibleFit,
    ConjugateGradient,
    FisherProduct,
    Invariance,
    NaturalBandit,
    TrustRegion,
)
from pgrobot.laboratory.regulator import LearnedGain, RegulatorGradient, RiccatiGain
from pgrobot.laboratory.training import FirstRatio, Identities, Identity, RatioProbe, RewardUnit
from pgrobot.laboratory.updates import ClippedSamples, FirstStep, GradientBound, MinibatchMean
from pgrobot.laboratory.variates import ControlVariates, CrossFitting, StateBaseline

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
    "CrossFitting",
    "EnumeratedGradient",
    "ExpectedAdvantage",
    "FirstRatio",
    "FirstStep",
    "FisherProduct",
    "GradientBound",
    "Identities",
    "Identity",
    "Invariance",
    "LearnedGain",
    "MinibatchMean",
    "NaturalBandit",
    "Outcome",
    "RatioProbe",
    "RegularisedArms",
    "RegularisedBandit",
    "RegulatorGradient",
    "RewardUnit",
    "RiccatiGain",
    "SampleSize",
    "StateBaseline",
    "TrustRegion",
    "compare",
]
