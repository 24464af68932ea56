"""The vocabulary every room shares: what happened (Rollout) and the seams.

Shapes: ``T`` time, ``N`` environments, ``A`` action size, ``C`` columns (``reward``, ``cost/<name>``,
``bonus/<name>``), ``K`` costs. Every dataclass is frozen and total: no field is ever ``None``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

Metrics = dict[str, float]
State = dict[str, Any]  # plain tensors, numbers, strings, lists and dicts: loads with weights_only=True
Observation = Mapping[str, np.ndarray]  # group -> [N, D]


@dataclass(frozen=True, slots=True)
class Rollout:
    """What happened: ``T`` consecutive steps of ``N`` environments."""

    obs: Mapping[str, Tensor]  # observation groups "policy", "critic", …    [T, N, D]
    next_obs: Mapping[str, Tensor]  # true successor, before any auto-reset  [T, N, D]
    action: Tensor  # as sampled, unclipped, in policy units                 [T, N, A]
    log_prob: Tensor  # under the policy that acted                          [T, N]
    reward: Tensor  # one column per entry of `columns`                      [T, N, C]
    terminated: Tensor  # no future value                                    [T, N] bool
    truncated: Tensor  # the future has value, the trace is cut              [T, N] bool
    censored: Tensor  # cut by us or broken: tells nothing of an episode     [T, N] bool
    episode_start: Tensor  # first step of an episode                        [T, N] bool
    age: Tensor  # steps already taken in the running episode                [T, N] int64
    paid: Tensor  # which columns that pay once have paid in it before       [T, N, K] bool
    carry: Tensor  # what the policy remembered before the step              [T, N, H]
    columns: tuple[str, ...]
    telemetry: Mapping[str, Tensor]  # torque, contact force, …              [T, N, *]

    @property
    def done(self) -> Tensor:
        """The trace is cut here: ``[T, N]`` bool."""
        return self.terminated | self.truncated


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """What a learner has to know of an environment before its first step."""

    name: str  # "Hopper-v5"
    num_envs: int
    observation: Mapping[str, int]  # group -> width; the group "policy" always exists
    action_low: np.ndarray  # [A] float64, -inf where unbounded
    action_high: np.ndarray  # [A]
    actuators: tuple[str, ...]  # A names; the driven joint's where an actuator has none
    reward_terms: tuple[str, ...]  # R names, in the order of Step.terms
    costs: tuple[str, ...]  # K names, in the order of Step.cost
    violations: Mapping[str, tuple[str, ...]]  # cost -> names of the parts (joints, …) it adds up
    highest_cost: Mapping[str, float]  # cost -> the most that a step can cost; infinite where unknown
    can_fall: bool  # an episode may end in a fall; False where that is not known
    max_episode_steps: int
    control_dt: float  # seconds per step


@dataclass(frozen=True, slots=True)
class Step:
    """One step of all ``N`` environments, with same-step auto-reset.

    The arrays are the environment's own buffers: valid until its next ``step``.
    """

    obs: Observation  # what the policy acts on next: the new episode's first where one ended  [N, D]
    next_obs: Observation  # the true successor of the state acted on                          [N, D]
    reward: np.ndarray  # [N]
    terms: np.ndarray  # named reward terms, summing to the reward                            [N, R]
    cost: np.ndarray  # [N, K]
    terminated: np.ndarray  # [N] bool
    truncated: np.ndarray  # [N] bool
    censored: np.ndarray  # [N] bool, of those ended: broken, or cut by us, which tells nothing of an episode
    telemetry: Mapping[str, np.ndarray]  # "torque" [N, A] in N·m; "violation/<cost>" [N, J]; …
    failures: Mapping[int, str]  # environments that broke in this step -> a sentence naming joint or body


@runtime_checkable
class Environment(Protocol):
    """``N`` environments stepped together. Randomness of environment ``i`` does not depend on ``N``."""

    spec: EnvironmentSpec

    def reset(self) -> Observation:
        """Start a new episode everywhere; the streams go on, they are not re-seeded."""
        ...

    def restart(self, ids: np.ndarray) -> Observation:
        """Start a new episode in environments ``ids`` (sorted) and return what all ``N`` observe.

        Beside ``obs``, what the last ``step`` returned stays as it is.
        """
        ...

    def step(self, action: np.ndarray) -> Step:
        """Advance by one action ``[N, A]``, in the units of the action space."""
        ...

    def state_dict(self) -> State:
        """Everything a bit-exact continuation needs."""
        ...

    def load_state_dict(self, state: State) -> None: ...

    def close(self) -> None:
        """Release what it holds; ``reset`` and ``load_state_dict`` take it up again."""
        ...


class Collector(Protocol):
    """Decides where experience comes from, and which learner gets which."""

    def collect(self) -> dict[str, Rollout]: ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


class IntrinsicReward(Protocol):
    """A reward of its own making, such as a curiosity bonus: one more column in every rollout.

    Attributes:
        column: the column's name, ``bonus/<name>``.
    """

    column: str

    def __call__(self, rollout: Rollout) -> Rollout:
        """Return the rollout with the column appended."""
        ...

    def fit(self, rollout: Rollout) -> Metrics:
        """Learn from the rollout, after the policy has."""
        ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


class Diagnostic(Protocol):
    """Reads learners and rollouts and returns metrics; never writes to either."""

    def __call__(
        self, iteration: int, learners: Mapping[str, Any], experience: Mapping[str, Rollout]
    ) -> Metrics: ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


class Tracker(Protocol):
    """A mirror of the metrics; nothing ever reads back from one."""

    def write(self, step: int, metrics: Metrics) -> None: ...

    def close(self) -> None: ...


class Multiplier(Protocol):
    """Prices the cost columns and folds them into the advantage."""

    def update(self, excess: Tensor, length: float, reward: Tensor) -> Metrics:
        """Move on how far each of the ``K`` costs lies above its budget.

        Args:
            excess: that distance in the budget's unit, divided by the steps which the unit adds up, ``[K]``.
            length: steps that an episode is expected to last.
            reward: the rollout's columns, ``[T, N, C]``.
        """
        ...

    def mix(self, advantage: Tensor) -> Tensor:
        """Fold the columns ``[..., C]`` into one advantage ``[...]``."""
        ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...
