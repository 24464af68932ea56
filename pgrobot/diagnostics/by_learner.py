"""What most diagnostics have in common: they look at one learner's last update after another."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pgrobot.ranges import at_least
from pgrobot.types import Metrics, Rollout, State


class OfLastUpdates(ABC):
    """Looks at the last update of every learner, and remembers nothing.

    Args:
        every: iterations between looks; 0: never.
    """

    def __init__(self, every: Annotated[int, at_least(0)]) -> None:
        self._every = every

    def __call__(
        self, iteration: int, learners: Mapping[str, Any], experience: Mapping[str, Rollout]
    ) -> Metrics:
        if self._every == 0 or iteration % self._every:
            return {}
        return by_learner(learners, experience, self.measured)

    @abstractmethod
    def measured(self, problems: Mapping[str, Any], rollout: Rollout) -> Metrics:
        """What there is to say of the problems of an update, by name, and of its rollout."""

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:  # noqa: B027, nothing was remembered
        pass


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
