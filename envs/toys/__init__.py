"""Small worlds in which everything is known: each carries its closed forms, and trains like any robot."""

from .gaussian_bandit import GaussianBandit
from .linear_quadratic import LinearQuadratic
from .lqr import LQR
from .markov import MarkovModel
from .occupancy import ConstrainedOptimum, constrained_optimum
from .softmax_bandit import SoftmaxBandit
from .t_maze import TMaze
from .tabular_mdp import TabularMDP

__all__ = [
    "LQR",
    "ConstrainedOptimum",
    "GaussianBandit",
    "LinearQuadratic",
    "MarkovModel",
    "SoftmaxBandit",
    "TMaze",
    "TabularMDP",
    "constrained_optimum",
]
