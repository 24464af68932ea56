"""Diagnostics read learners and rollouts and return metrics; they never write to either. A new one is one file.

`Diagnostic` in ``pgrobot.types`` is the seam. It sees all that views of the gradient per torque need: the
learners' policies, and each rollout's observations, columns and torques.
"""

from pgrobot.diagnostics.episodes import EpisodeStatistics
from pgrobot.diagnostics.gradients import GradientNorms, term_gradients
from pgrobot.diagnostics.violation_map import ViolationMap
from pgrobot.diagnostics.violations import Violations

__all__ = ["EpisodeStatistics", "GradientNorms", "ViolationMap", "Violations", "term_gradients"]
