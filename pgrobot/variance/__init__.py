"""The variance laboratory: what each baseline does to the policy gradient of a trained policy; ``pgrobot variance``."""

from pgrobot.variance.baselines import REFERENCES, catalogue
from pgrobot.variance.experience import Experience, collect
from pgrobot.variance.gradients import OBJECTIVE, gradients
from pgrobot.variance.measurement import MeasurementPlan, Subject, measure, opened
from pgrobot.variance.report import print_variance
from pgrobot.variance.statistics import Bias, Interval, biases, variance, variance_ratio

__all__ = [
    "OBJECTIVE",
    "REFERENCES",
    "Bias",
    "Experience",
    "Interval",
    "MeasurementPlan",
    "Subject",
    "biases",
    "catalogue",
    "collect",
    "gradients",
    "measure",
    "opened",
    "print_variance",
    "variance",
    "variance_ratio",
]
