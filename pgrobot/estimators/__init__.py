"""Advantage estimators: pure functions of all reward and cost columns at once.

Every estimator takes an ``EstimatorInput``, which is one rollout, and keyword parameters of its own. It returns an
``Estimate``: the advantage, the critic's regression target, and what every step weighs in the policy gradient, which is
one, but where another policy acted. The weight stands by itself because a baseline is taken from the advantage and not
from what is left of it after weighing.

Within an episode ``next_value[t]`` is ``value[t + 1]``; at a terminated step it counts as zero.

An episode, or what of it lies in the rollout, is a *piece*. No piece reads another. A piece that is cut by truncation
or by the rollout's end goes on as ``next_value`` of its last step; one that terminated is worth nothing more.
"""

from __future__ import annotations

from pgrobot.estimators.discounting import discount_from_start
from pgrobot.estimators.estimator import (
    Estimate,
    Estimator,
    EstimatorInput,
    estimator,
    reads_log_ratio,
)
from pgrobot.estimators.gae import gae, td_lambda
from pgrobot.estimators.returns import monte_carlo, n_step
from pgrobot.estimators.scan import reverse_scan, window_scan
from pgrobot.estimators.vtrace import effective_sample_share, vtrace

__all__ = [
    "Estimate",
    "Estimator",
    "EstimatorInput",
    "discount_from_start",
    "effective_sample_share",
    "estimator",
    "gae",
    "monte_carlo",
    "n_step",
    "reads_log_ratio",
    "reverse_scan",
    "td_lambda",
    "vtrace",
    "window_scan",
]
