"""Solvers: the only things that move parameters."""

from pgrobot.solvers.adam import Adam
from pgrobot.solvers.average import ExponentialAverage
from pgrobot.solvers.compatible import CompatibleFisher
from pgrobot.solvers.first_order import FirstOrderSolver
from pgrobot.solvers.fisher import Fisher, GaussNewtonFisher, gauss_newton
from pgrobot.solvers.linear import Linearisation, Solution, conjugate_gradient, linearise
from pgrobot.solvers.natural_gradient import NaturalGradientSolver
from pgrobot.solvers.optimizer import Optimizer
from pgrobot.solvers.parameters import FlatParameters
from pgrobot.solvers.problem import CriticProblem, PolicyProblem, Problem, Report, Unbounded
from pgrobot.solvers.rates import Constant, KLAdaptive, Linear
from pgrobot.solvers.rmsprop import RMSprop
from pgrobot.solvers.sgd import SGD
from pgrobot.solvers.snapshot import SnapshotProblem, UpdateSnapshot, own_state
from pgrobot.solvers.solver import Solver, SolverFactory
from pgrobot.solvers.steps import KLRadius, LearningRate, StepSize
from pgrobot.solvers.trust_region import Acceptance, FullStep, LineSearch, Trial

__all__ = [
    "SGD",
    "Acceptance",
    "Adam",
    "CompatibleFisher",
    "Constant",
    "CriticProblem",
    "ExponentialAverage",
    "FirstOrderSolver",
    "Fisher",
    "FlatParameters",
    "FullStep",
    "GaussNewtonFisher",
    "KLAdaptive",
    "KLRadius",
    "LearningRate",
    "LineSearch",
    "Linear",
    "Linearisation",
    "NaturalGradientSolver",
    "Optimizer",
    "PolicyProblem",
    "Problem",
    "RMSprop",
    "Report",
    "SnapshotProblem",
    "Solution",
    "Solver",
    "SolverFactory",
    "StepSize",
    "Trial",
    "Unbounded",
    "UpdateSnapshot",
    "conjugate_gradient",
    "gauss_newton",
    "linearise",
    "own_state",
]
