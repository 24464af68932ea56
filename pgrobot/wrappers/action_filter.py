"""Smoothing what a policy asks for, before anything is done."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
import torch

from pgrobot.action_map import ActionMap
from pgrobot.errors import PgrobotError
from pgrobot.policies import Acting
from pgrobot.ranges import at_least, positive
from pgrobot.simulation.wrappers import WrappedEnvironment
from pgrobot.types import Environment, EnvironmentSpec, Observation, State, Step
from pgrobot.wrappers.filtering import Filtering


class ActionFilter(WrappedEnvironment):
    """A first-order low-pass of the actions, and a limit of how fast they change.

    ``u_t = a_t + (u_{t−1} − a_t) exp(−dt / τ)``: the exact answer of ``τ du/dt = a − u`` to an action that is held
    for a step. Then ``u_t`` is brought within ``rate · dt`` of ``u_{t−1}``. An episode begins with ``u_{−1} = 0``, or
    what of the bounds is nearest, or the offset of ``task.actions``. Costs, rewards and telemetry are of ``u``; a
    rollout holds what the policy drew.

    It travels: a trained policy filters what it does.

    Args:
        environment: what is acted on.
        time_constant: τ in seconds; 0: none.
        rate: the fastest change, in policy units per second: halves of an actuator's range; infinite: none.

    Raises:
        PgrobotError: an action is a choice.
    """

    travels: ClassVar[bool] = True

    def __init__(
        self,
        environment: Environment,
        time_constant: Annotated[float, at_least(0.0)],
        rate: Annotated[float, positive],
    ) -> None:
        super().__init__(environment)
        for action in self.spec.actions:
            if action.choices:
                raise PgrobotError(
                    f"wrapper.action_filter smooths real numbers, and the action {action.name!r} of {self.spec.name} "
                    f"is one of {action.choices} choices: leave the filter out"
                )
        self._bounds = ActionMap.of(self.spec)
        self._keep = kept(time_constant, self.spec.control_dt)
        self._most = rate * self.spec.control_dt
        self._rest = self._bounds.rest
        self._last = np.tile(self._rest, (self.spec.num_envs, 1))  # u of the step before [N, A]

    def reset(self) -> Observation:
        self._last[:] = self._rest
        return super().reset()

    def restart(self, ids: np.ndarray) -> Observation:
        self._last[ids] = self._rest
        return super().restart(ids)

    def step(self, action: np.ndarray) -> Step:
        done = self._filtered(action)
        step = super().step(done)
        ended = step.terminated | step.truncated
        self._last = np.where(ended[:, None], self._rest, done)
        return step

    def own_state(self) -> State:
        return {"last": torch.from_numpy(self._last.copy())}

    def load_own_state(self, state: State) -> None:
        self._last = state["last"].numpy().copy()

    @classmethod
    def carried(
        cls, policy: Acting, spec: EnvironmentSpec, time_constant: float, rate: float
    ) -> tuple[Acting, EnvironmentSpec]:
        """A policy that filters what it does; one with nothing to filter is as it was."""
        keep, most = kept(time_constant, spec.control_dt), rate * spec.control_dt
        if keep == 0.0 and math.isinf(most):
            return policy, spec
        groups = getattr(policy, "groups", tuple(spec.observation))
        return Filtering(policy, ActionMap.of(spec), keep, most, groups), spec

    def _filtered(self, action: np.ndarray) -> np.ndarray:
        """What is done, ``[N, A]``."""
        done = action + (self._last - action) * self._keep if self._keep else action
        if math.isfinite(self._most):
            most = self._most * self._bounds.unit
            done = np.clip(done, self._last - most, self._last + most)
        return done if done is action else np.clip(done, self._bounds.low, self._bounds.high)


def kept(time_constant: float, dt: float) -> float:
    """What is left after ``dt`` of a distance that fades with a time constant: ``exp(−dt / τ)``."""
    return math.exp(-dt / time_constant) if time_constant else 0.0
