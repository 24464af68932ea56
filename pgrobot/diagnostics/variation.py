"""What was drawn of the models that vary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgrobot.simulation.variation import STRENGTH, TELEMETRY
from pgrobot.types import Metrics, Rollout, State


class DrawnVariation:
    """``variation/<name>/mean``, ``min`` and ``max`` of what was drawn: factors, amounts or values, over all steps.

    All parts of an entry together; ``variation/<name>/strength`` is the mean strength of one that has a schedule. With
    several learners, each one's names begin with ``<learner>/``.
    """

    def __call__(
        self, iteration: int, learners: Mapping[str, Any], experience: Mapping[str, Rollout]
    ) -> Metrics:
        metrics: Metrics = {}
        for learner, rollout in experience.items():
            prefix = f"{learner}/" if len(learners) > 1 else ""
            for name, drawn in rollout.telemetry.items():
                if not name.startswith(TELEMETRY):
                    continue
                known = drawn[~rollout.censored].double()  # of a broken simulation nothing is told
                if not known.numel():
                    continue
                if name.endswith(STRENGTH):
                    metrics[f"{prefix}{name}"] = float(known.mean())
                else:
                    metrics |= {
                        f"{prefix}{name}/mean": float(known.mean()),
                        f"{prefix}{name}/min": float(known.min()),
                        f"{prefix}{name}/max": float(known.max()),
                    }
        return metrics

    def state_dict(self) -> State:
        """Nothing is remembered."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing was remembered."""
