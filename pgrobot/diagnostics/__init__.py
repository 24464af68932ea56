"""Diagnostics read learners and rollouts and return metrics; they never write to either. A new one is one file.

`Diagnostic` in ``pgrobot.types`` is the seam. It sees each rollout's observations, columns and torques, and the very
problems that the learners solved (``Learner.snapshot``).
"""

from pgrobot.diagnostics.accounting import Accounting
from pgrobot.diagnostics.auxiliary import AuxiliaryGradients
from pgrobot.diagnostics.episodes import EpisodeStatistics
from pgrobot.diagnostics.goals import Goals
from pgrobot.diagnostics.gradients import GradientNorms, term_gradients
from pgrobot.diagnostics.levels import Levels
from pgrobot.diagnostics.memory import Memory
from pgrobot.diagnostics.sensitivity import Sensitivity
from pgrobot.diagnostics.torque import TorqueGradients
from pgrobot.diagnostics.variation import DrawnVariation
from pgrobot.diagnostics.violation_map import ViolationMap
from pgrobot.diagnostics.violations import Violations

__all__ = [
    "Accounting",
    "AuxiliaryGradients",
    "DrawnVariation",
    "EpisodeStatistics",
    "Goals",
    "GradientNorms",
    "Levels",
    "Memory",
    "Sensitivity",
    "TorqueGradients",
    "ViolationMap",
    "Violations",
    "term_gradients",
]
