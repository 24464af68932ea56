"""The vocabulary every room shares: what happened (Rollout) and the seams.

Shapes: ``T`` time, ``N`` environments, ``A`` action size, ``C`` columns (``reward``, ``cost/<name>``,
``bonus/<name>``), ``K`` costs. Every dataclass is frozen and total: no field is ever ``None``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Protocol, Self, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from typing_extensions import TypeVar

from pgrobot.errors import PgrobotError
from pgrobot.pictures import Picture

Array = TypeVar("Array", default=np.ndarray)  # what a simulator hands out

MOST_IN_AN_ARRAY = 1024  # numbers of an observation in several dimensions; more are taken for an image

MEASURED = "measured/"  # begins the telemetry of what a robot measures beside its reward  [N, 1]
TERMINATION = "termination/"  # begins the telemetry of a reason for which episodes end: which ended  [N, 1]
# the telemetry of what each actuator gives, in N·m: least and greatest by turns, where simulations differ  [N, 2 A]
TORQUE_LIMITS = "torque_limits"

Metrics = dict[str, float]
State = dict[str, Any]  # plain tensors, numbers, strings, lists and dicts: loads with weights_only=True
Observation = Mapping[str, np.ndarray]  # group -> [N, D], of images [N, H, W, C]
EntryNames = Mapping[str, Sequence[str]]  # group -> D names


@dataclass(frozen=True, slots=True)
class Rollout:
    """What happened: ``T`` consecutive steps of ``N`` environments."""

    obs: Mapping[str, Tensor]  # observation groups "policy", "critic", …    [T, N, D]
    next_obs: Mapping[str, Tensor]  # true successor, before any auto-reset  [T, N, D]
    following_obs: Mapping[str, Tensor]  # what is acted on after the last step  [1, N, D]
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
    weight: Tensor  # what the step counts; 0: padding, not learnt from      [T, N]
    duration: Tensor  # steps that its decision lasted, discounted by γ^d    [T, N]
    episodic: Tensor  # which columns end with the episode                   [C] bool
    columns: tuple[str, ...]
    telemetry: Mapping[str, Tensor]  # torque, contact force, …              [T, N, *]

    @property
    def done(self) -> Tensor:
        """The trace is cut here: ``[T, N]`` bool."""
        return self.terminated | self.truncated

    @property
    def final(self) -> Tensor:
        """The last step of each environment that counts, after which padding comes or nothing: ``[T, N]`` bool."""
        counts = self.weight > 0.0
        return counts & torch.cat((~counts[1:], torch.ones_like(counts[-1:])))

    @property
    def by_step(self) -> Rollout:
        """The environment's own steps that it tells of, which budgets are measured on: itself, as a rule."""
        return self

    def with_column(self, name: str, reward: Tensor, *, episodic: bool) -> Self:
        """The rollout with one column more, ``[T, N]``; one that is not episodic goes on where an episode ends.

        Raises:
            PgrobotError: it has another shape.
        """
        if reward.shape != self.reward.shape[:-1]:
            raise PgrobotError(
                f"the column {name!r} has to be {list(self.reward.shape[:-1])}, not {list(reward.shape)}"
            )
        return replace(
            self,
            reward=torch.cat((self.reward, reward.unsqueeze(-1)), -1),
            columns=(*self.columns, name),
            episodic=torch.cat((self.episodic, torch.tensor([episodic]))),
        )


@dataclass(frozen=True, slots=True)
class ObservationGroup:
    """One group of what is observed, every entry of it with a name."""

    names: tuple[str, ...]  # "qvel/thigh_joint", each another; of several dimensions in row-major order
    shape: tuple[int, ...]  # of what one environment shows: (D,), an image's (H, W, C)
    dtype: str  # "float64" or "float32"; an image's "uint8"

    @classmethod
    def numbered(cls, group: str, shape: tuple[int, ...], dtype: str = "float64") -> Self:
        """A group whose entries have no names but ``<group>/<i>``."""
        return cls(tuple(f"{group}/{i}" for i in range(math.prod(shape))), shape, dtype)

    @property
    def width(self) -> int:
        """How many numbers it is."""
        return math.prod(self.shape)

    @property
    def image(self) -> bool:
        """Whether it is an image, which no origin moves and nothing normalises."""
        return self.dtype == "uint8"

    @property
    def row_dtype(self) -> str:
        """The type of its rows in a Rollout: that of an image, else ``float32``."""
        return self.dtype if self.image else "float32"


class Widths(Mapping[str, int]):
    """Widths of the observation groups that a network of plain inputs can read: all but images.

    Asking for an image's raises PgrobotError, whether by ``widths[group]`` or by ``group in widths``; ``images`` has
    their shapes.

    Args:
        name: the environment's, for messages.
        observation: its groups.
        beside: those of them that it does not observe, but that are known beside.
    """

    def __init__(
        self, name: str, observation: Mapping[str, ObservationGroup], beside: Sequence[str] = ()
    ) -> None:
        self._name, self._observation, self.beside = name, observation, tuple(beside)

    def __getitem__(self, group: str) -> int:
        found = self._observation[group]
        if found.image:
            raise self.unseen(group)
        return found.width

    def names(self, group: str) -> tuple[str, ...]:
        """The names of a group's entries."""
        return self._observation[group].names

    @property
    def images(self) -> dict[str, tuple[int, ...]]:
        """The shape ``(H, W, C)`` of every image, by its group."""
        return {name: group.shape for name, group in self._observation.items() if group.image}

    def unseen(self, group: str) -> PgrobotError:
        """Why the image of a group cannot be read by a network of plain inputs."""
        found = self._observation[group]
        return unseen_image(self._name, group, found.shape, found.dtype)

    def __iter__(self) -> Iterator[str]:
        return (name for name, group in self._observation.items() if not group.image)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def unseen_image(name: str, group: str, shape: tuple[int, ...], dtype: str) -> PgrobotError:
    """Why the group of an environment cannot be read by a network of plain inputs."""
    if dtype == "uint8":
        remedy = f"what sees {group!r} is policy/body=cnn, and of a critic critic/body=cnn"
    else:
        remedy = (
            f"let the environment observe {group!r} as uint8 (H, W, C), which policy/body=cnn sees, or as numbers (at "
            f"most {MOST_IN_AN_ARRAY:,} are flattened)"
        )
    return PgrobotError(
        f"{name} observes an image, {dtype} {shape}, which a network of {math.prod(shape):,} inputs would not see as "
        f"one: {remedy}"
    )


UNLIMITED = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Action:
    """One entry of what an environment is told to do."""

    name: str  # "thigh_joint"
    unit: str  # of the number in the action space: "N·m", "200 N·m", "rad", …; empty where it is not known
    choices: int  # it is one of 0, 1, … choices − 1; 0: any real number within the bounds
    gives: tuple[float, float] = (
        UNLIMITED  # the least and the greatest torque (N·m; N of a slide); infinite where nothing tells
    )
    mapped: tuple[
        float, ...
    ] = ()  # what a policy's 0 is, and what its 1 adds; none: the middle and half of the bounds

    @classmethod
    def unitless(cls, *names: str) -> tuple[Self, ...]:
        """Real numbers of unknown units."""
        return tuple(cls(name, "", 0) for name in names)


@dataclass(frozen=True, slots=True)
class ObservationPart:
    """A part of what an environment of another library shows, and the group that it is in.

    A group's row is that of its parts side by side: numbers in row-major order, and for every choice as many numbers as
    there are, of which one is 1 (``gymnasium.spaces.flatten``). An image is its group as it is.
    """

    path: tuple[str | int, ...]  # keys and indices that lead to it; none: it is the whole
    group: str
    shape: tuple[int, ...]
    choices: tuple[int, ...]  # how many each of its whole numbers may be, row-major; none: they are numbers
    start: tuple[int, ...]  # the least of each


@dataclass(frozen=True, slots=True)
class ActionForm:
    """How an environment itself takes what is a row of float64 ``[A]`` here."""

    shape: tuple[int, ...]  # -1: a row, of whatever length; none: a number
    dtype: str
    start: tuple[int, ...]  # the least of each choice; none: they begin at 0, or are real numbers


ROW = ActionForm((-1,), "float64", ())


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """What a learner has to know of an environment before its first step."""

    name: str  # "Hopper-v5"
    num_envs: int
    observation: Mapping[str, ObservationGroup]  # by name; "policy" is what policies read, or all
    action_low: np.ndarray  # [A] float64, -inf where unbounded
    action_high: np.ndarray  # [A]
    actions: tuple[Action, ...]  # A of them; the driven joint's name where an actuator has none
    reward_terms: tuple[str, ...]  # R names, in the order of Step.terms
    costs: tuple[str, ...]  # K names, in the order of Step.cost
    violations: Mapping[str, tuple[str, ...]]  # cost -> names of the parts (joints, …) it adds up
    highest_cost: Mapping[str, float]  # cost -> the most that a step can cost; infinite where unknown
    can_fall: bool  # an episode may end in a fall; False where that is not known
    max_episode_steps: int
    control_dt: float  # seconds per step
    parts: tuple[
        ObservationPart, ...
    ] = ()  # what it shows where it is of another library; none: groups as they are
    action_form: ActionForm = ROW
    counted: tuple[str, ...] = ()  # costs of which every part adds 1 or nothing
    left_behind: tuple[str, ...] = ()  # wrappers that a policy acts without, once it acts elsewhere

    @property
    def actuators(self) -> tuple[str, ...]:
        """The names of the actions, ``A`` of them."""
        return tuple(action.name for action in self.actions)

    @property
    def widths(self) -> Widths:
        """Width of every observation group but images; asking for an image's is refused in a sentence."""
        return Widths(self.name, self.observation)


@dataclass(frozen=True, slots=True)
class Step(Generic[Array]):
    """One step of all ``N`` environments, with same-step auto-reset.

    The arrays are the environment's own buffers: valid until its next ``step``. They are NumPy's unless it says
    otherwise: a simulator that hands out tensors makes ``Step[Tensor]``.
    """

    obs: Mapping[str, Array]  # what the policy acts on next: the new episode's first where one ended
    next_obs: Mapping[str, Array]  # the true successor of the state acted on; both [N, D] or [N, H, W, C]
    reward: Array  # [N]
    terms: Array  # named reward terms, summing to the reward  [N, R]
    cost: Array  # [N, K]
    terminated: Array  # [N] bool
    truncated: Array  # [N] bool
    censored: Array  # [N] bool, of those ended: broken, or cut by us, which tells nothing of an episode
    telemetry: Mapping[str, Array]  # "torque" [N, A] in N·m, "power" in W; "violation/<cost>" [N, J]; …
    failures: Mapping[int, str]  # environments that broke in this step -> a sentence naming joint or body


@runtime_checkable
class Environment(Protocol[Array]):
    """``N`` environments stepped together. Randomness of environment ``i`` does not depend on ``N``.

    ``Environment`` alone is one of NumPy's arrays, which collectors and evaluations take; see
    ``pgrobot.simulation.wrappers.ArrayEnvironment`` for one of tensors.
    """

    spec: EnvironmentSpec

    def reset(self) -> Mapping[str, Array]:
        """Start a new episode everywhere; the streams go on, they are not re-seeded."""
        ...

    def restart(self, ids: Array) -> Mapping[str, Array]:
        """Start a new episode in environments ``ids`` (sorted) and return what all ``N`` observe.

        Beside ``obs``, what the last ``step`` returned stays as it is.
        """
        ...

    def step(self, action: Array) -> Step[Array]:
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
    """Decides where experience comes from, and which learner gets which.

    Attributes:
        failures: sentences about simulations that broke during the last collection.
        ended: episodes that ended in it, broken ones included and those that were only cut left out.

    One that has a property ``exhausted`` says with it whether there is nothing left to learn: the run ends there.
    """

    failures: tuple[str, ...]
    ended: int

    def collect(self) -> dict[str, Rollout]:
        """A rollout for every learner that learns from this iteration, by its name."""
        ...

    def restart(self) -> None:
        """Cut the running episodes, and begin new ones everywhere."""
        ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


class IntrinsicReward(Protocol):
    """A reward of its own making, such as a curiosity bonus: one more column in every rollout.

    One that has a ``discount`` is discounted by that, instead of ``algorithm.discounts.bonus``. One that says
    ``pays = False`` has no column, and only looks on: it is fitted, and changes nothing.

    Attributes:
        column: the column's name, ``bonus/<name>``.
    """

    column: str

    def __call__(self, rollout: Rollout) -> Rollout:
        """Return the rollout with the column appended: ``rollout.with_column``."""
        ...

    def fit(self, rollout: Rollout) -> Metrics:
        """Learn from the rollout, after the policy has; gradients are off but under ``torch.enable_grad()``."""
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


@runtime_checkable
class Illustrated(Protocol):
    """A diagnostic that also has pictures."""

    def pictures(self) -> Mapping[str, Picture]:
        """What there is to see of the iteration just looked at, by name; asked once after each, empty after most."""
        ...


class Tracker(Protocol):
    """A mirror of the metrics and pictures; nothing ever reads back from one."""

    def write(self, step: int, metrics: Metrics) -> None:
        """Take the metrics of the iteration that ended at ``step`` environment steps."""
        ...

    def show(self, step: int, name: str, picture: Picture) -> None:
        """Take a picture of the state at ``step``, after that step's metrics."""
        ...

    def close(self) -> None: ...


class Multiplier(Protocol):
    """Prices the cost columns and folds them into the advantage.

    Attributes:
        prices: whether costs weigh anything in the advantage; one that does not say so may.
        makes: the name of the algorithm that is this multiplier under some steps, and another one without it; by
            default none.
    """

    prices: ClassVar[bool]
    makes: ClassVar[str]

    def update(self, excess: Tensor, length: float, reward: Tensor) -> Metrics:
        """Move on how far each of the ``K`` costs lies above its budget.

        Args:
            excess: that distance in the budget's unit, divided by the steps which the unit adds up, ``[K]``.
            length: steps that an episode is expected to last.
            reward: the rollout's columns, ``[T, N, C]``; of one that holds padding ``[B, C]`` without it.
        """
        ...

    def mix(self, advantage: Tensor) -> Tensor:
        """Fold the columns ``[..., C]`` into one advantage ``[...]``."""
        ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...
