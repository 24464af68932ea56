"""What goals a manager sets, and whether they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pgrobot.ranges import at_least
from pgrobot.types import Metrics, Rollout, State

GOAL = "goal/"  # begins the telemetry of decisions that is told
WISHES = ("distance", "reached")  # of which the mean says it all


class Goals:
    """Means over the decisions of a rollout that tells of goals in its telemetry; of any other nothing is said.

    ``goal/distance``: from the goal, where it was over, in deviations of the entries, root mean square.
    ``goal/reached``: share of goals that ended nearer than the scheme's ``reached``. ``goal/<entry>/mean`` and
    ``…/std``: of the change that was wished for, in the entry's own unit. With several learners, each one's names begin
    with ``<learner>/``.

    Args:
        every: iterations between looks; 0: none.
        entries: the first so many are told of.
    """

    def __init__(self, every: Annotated[int, at_least(0)], entries: Annotated[int, at_least(1)]) -> None:
        self._every = every
        self._entries = entries

    def __call__(
        self, iteration: int, learners: Mapping[str, Any], experience: Mapping[str, Rollout]
    ) -> Metrics:
        if self._every == 0 or iteration % self._every:
            return {}
        metrics: Metrics = {}
        for learner, rollout in experience.items():
            prefix = f"{learner}/" if len(learners) > 1 else ""
            counts = rollout.weight > 0.0
            told = {name: x[counts] for name, x in rollout.telemetry.items() if name.startswith(GOAL)}
            means = {name: told.pop(name) for name in [GOAL + wish for wish in WISHES] if name in told}
            metrics |= {prefix + name: float(x.mean()) for name, x in means.items()}
            for name, x in list(told.items())[: self._entries]:
                metrics[f"{prefix}{name}/mean"] = float(x.mean())
                metrics[f"{prefix}{name}/std"] = float(x.std(correction=0))
        return metrics

    def state_dict(self) -> State:
        """Nothing is remembered."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing was remembered."""
