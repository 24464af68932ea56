"""What a policy makes of what it senses: a closer look, at intervals and at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pgrobot.diagnostics.actuators import Actuators
from pgrobot.diagnostics.by_learner import by_learner
from pgrobot.diagnostics.curvature import fisher_eigenvalues, gradient_agreement
from pgrobot.diagnostics.gait import Gait
from pgrobot.diagnostics.influence import Influence
from pgrobot.diagnostics.sensitivity_pictures import sensitivity_pictures
from pgrobot.diagnostics.states import States
from pgrobot.diagnostics.units import hidden_units
from pgrobot.pictures import Picture
from pgrobot.ranges import at_least
from pgrobot.types import EnvironmentSpec, Metrics, Rollout, State

MOST_NUMBERS = 10_000_000  # of slopes by state that are held together


class Sensitivity:
    """The policy as it was before the update: sensors by actuators, its network, and the problem's curvature.

    Pictures ``sensitivity/{map,gait}``, tables ``sensitivity/{pairs,entries,by_phase}``, and the metrics
    ``sensitivity/lipschitz/{mean,max}``, ``sensitivity/unused``, ``sensitivity/completeness_gap``,
    ``gait/{variance,advance,period}``, ``units/{dead,saturated}``, ``gradient/policy/agreement`` and
    ``fisher/eigenvalue/<rank>``. What is not finite is left out. With several learners, each one's names begin with
    ``<learner>/``.

    It reads copies, and no random stream: training is the same to the last bit.

    See docs/derivations.md#sensitivity.

    Args:
        every: iterations between looks; 0: none on the way.
        at_end: whether to look at the last iteration.
        states: of the rollout that the policy is looked at in, at most.
        spec: of the environments.
        iterations: of the run.
    """

    def __init__(
        self,
        every: Annotated[int, at_least(0)],
        at_end: bool,
        states: Annotated[int, at_least(1)],
        *,
        spec: EnvironmentSpec,
        iterations: int,
    ) -> None:
        self._every = every
        self._last = iterations - 1 if at_end else -1
        self._spec = spec
        self._actuators = Actuators.of(spec, 64)
        self._states = states
        self._pictures: dict[str, Picture] = {}

    def __call__(
        self, iteration: int, learners: Mapping[str, Any], experience: Mapping[str, Rollout]
    ) -> Metrics:
        self._pictures = {}
        due = self._every > 0 and iteration % self._every == 0
        if not (due or iteration == self._last):
            return {}
        metrics: Metrics = {}
        for name, rollout in experience.items():
            look = partial(self._look, prefix=f"{name}/" if len(learners) > 1 else "")
            metrics |= by_learner(learners, {name: rollout}, look)
        return metrics

    def pictures(self) -> Mapping[str, Picture]:
        """Of the last look, once."""
        shown, self._pictures = self._pictures, {}
        return shown

    def state_dict(self) -> State:
        """Nothing is remembered."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing was remembered."""

    def _look(self, problems: Mapping[str, Any], rollout: Rollout, *, prefix: str) -> Metrics:
        if "policy" not in problems:
            return {}
        posed = problems["policy"]
        metrics = {"gradient/policy/agreement": gradient_agreement(posed, rollout.log_prob.shape[1])}
        ranked = enumerate(fisher_eigenvalues(posed), start=1)
        metrics |= {f"fisher/eigenvalue/{rank}": value for rank, value in ranked}
        width = sum(obs.shape[-1] for obs in rollout.obs.values()) * len(self._actuators.names)
        most = max(1, min(self._states, MOST_NUMBERS // max(width, 1)))
        states = States.of(rollout, posed.copied(), self._spec, self._actuators, most)
        units = hidden_units(states)
        if units.count:
            metrics |= {
                "units/dead": units.dead / units.count,
                "units/saturated": units.saturated / units.count,
            }
        if not len(states.drawn) or not states.names:
            return metrics
        influence, gait = Influence.of(states), Gait.of(states, rollout.episode_start)
        pictures = sensitivity_pictures(states, influence, gait, self._actuators)
        self._pictures |= {prefix + name: picture for name, picture in pictures.items()}
        return metrics | {
            "sensitivity/lipschitz/mean": float(influence.steepest.mean()),
            "sensitivity/lipschitz/max": float(influence.steepest.max()),
            "sensitivity/unused": float(influence.unused.double().mean()),
            "sensitivity/completeness_gap": influence.gap,
            "gait/variance": gait.variance,
            "gait/advance": gait.advance,
            "gait/period": gait.steps * self._spec.control_dt,
        }
