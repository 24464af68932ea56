"""Solvers: the only things that move parameters."""

from pgrobot.solvers.adam import Adam
from pgrobot.solvers.minibatch import MinibatchSolver
from pgrobot.solvers.parameters import FlatParameters
from pgrobot.solvers.problem import CriticProblem, PolicyProblem, Problem, Report
from pgrobot.solvers.rates import Constant, KLAdaptive, Linear

__all__ = [
    "Adam",
    "Constant",
    "CriticProblem",
    "FlatParameters",
    "KLAdaptive",
    "Linear",
    "MinibatchSolver",
    "PolicyProblem",
    "Problem",
    "Report",
]
