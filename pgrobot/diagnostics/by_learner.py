"""What most diagnostics have in common: they look at one learner's last update after another."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pgrobot.types import Metrics, Rollout


def by_learner(
    learners: Mapping[str, Any],
    experience: Mapping[str, Rollout],
    measure: Callable[[Mapping[str, Any], Rollout], Metrics],
) -> Metrics:
    """The metrics of every learner, those of several under ``<learner>/``; what is not finite is left out.

    Args:
        learners: by name, each with a ``snapshot``.
        experience: what they learnt from.
        measure: from the problems of an update and its rollout to metrics.
    """
    metrics: Metrics = {}
    for name, rollout in experience.items():
        prefix = f"{name}/" if len(learners) > 1 else ""
        found = measure(learners[name].snapshot(rollout), rollout)
        metrics |= {prefix + key: value for key, value in found.items() if math.isfinite(value)}
    return metrics
