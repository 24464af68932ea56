"""Baselines and control variates: what is taken from the returns to lower the variance of the policy gradient."""

from pgrobot.baselines.baseline import Baseline, Controlled
from pgrobot.baselines.normalisation import NORMALISATIONS, Normalisation
from pgrobot.baselines.projection import Projection
from pgrobot.baselines.scalar import Constant, NoBaseline, Optimal
from pgrobot.baselines.value import Value

__all__ = [
    "NORMALISATIONS",
    "Baseline",
    "Constant",
    "Controlled",
    "NoBaseline",
    "Normalisation",
    "Optimal",
    "Projection",
    "Value",
]
