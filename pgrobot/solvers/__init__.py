"""Solvers: the only things that move parameters."""

from pgrobot.solvers.adam import Adam
from pgrobot.solvers.average import ExponentialAverage
from pgrobot.solvers.clipping import ClipByGlobalNorm
from pgrobot.solvers.compatible import CompatibleFisher
from pgrobot.solvers.constrained import ConstrainedSolver
from pgrobot.solvers.enforcement import ConstrainedStep, Enforcement, ProjectedStep
from pgrobot.solvers.first_order import FirstOrderSolver
from pgrobot.solvers.fisher import Fisher, GaussNewtonFisher, gauss_newton
from pgrobot.solvers.group_rates import GroupRates
from pgrobot.solvers.linear import Linearisation, Solution, conjugate_gradient, linearise
from pgrobot.solvers.natural_gradient import NaturalGradientSolver
from pgrobot.solvers.parameters import FlatParameters
from pgrobot.solvers.problem import CriticProblem, PolicyProblem, Problem, Report, Unbounded
from pgrobot.solvers.rates import Constant, KLAdaptive, Linear, TotalVariationAdaptive
from pgrobot.solvers.rmsprop import RMSprop
from pgrobot.solvers.sgd import SGD
from pgrobot.solvers.snapshot import (
    PolicySnapshot,
    SnapshotProblem,
    SnapshotProblems,
    UpdateSnapshot,
    own_state,
)
from pgrobot.solvers.solver import Solver, SolverFactory
from pgrobot.solvers.steps import KLRadius, LearningRate, StepSize
from pgrobot.solvers.still import Still
from pgrobot.solvers.transform import Forgetful, Layout, Link, Moments, Place, Transform, Uniform
from pgrobot.solvers.trust_region import Acceptance, FullStep, LineSearch, Trial
from pgrobot.solvers.update_projection import UpdateThenProjection
from pgrobot.solvers.weight_decay import WeightDecay

__all__ = [
    "SGD",
    "Acceptance",
    "Adam",
    "ClipByGlobalNorm",
    "CompatibleFisher",
    "Constant",
    "ConstrainedSolver",
    "ConstrainedStep",
    "CriticProblem",
    "Enforcement",
    "ExponentialAverage",
    "FirstOrderSolver",
    "Fisher",
    "FlatParameters",
    "Forgetful",
    "FullStep",
    "GaussNewtonFisher",
    "GroupRates",
    "KLAdaptive",
    "KLRadius",
    "Layout",
    "LearningRate",
    "LineSearch",
    "Linear",
    "Linearisation",
    "Link",
    "Moments",
    "NaturalGradientSolver",
    "Place",
    "PolicyProblem",
    "PolicySnapshot",
    "Problem",
    "ProjectedStep",
    "RMSprop",
    "Report",
    "SnapshotProblem",
    "SnapshotProblems",
    "Solution",
    "Solver",
    "SolverFactory",
    "StepSize",
    "Still",
    "TotalVariationAdaptive",
    "Transform",
    "Trial",
    "Unbounded",
    "Uniform",
    "UpdateSnapshot",
    "UpdateThenProjection",
    "WeightDecay",
    "conjugate_gradient",
    "gauss_newton",
    "linearise",
    "own_state",
]
