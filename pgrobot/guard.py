"""All or nothing: an update that meets or makes a number that is not finite leaves no trace."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from pgrobot.errors import PgrobotError
from pgrobot.types import Metrics, Rollout, State


class NonFiniteError(PgrobotError):
    """A quantity that should be a number is not; the message names the first one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An update that was skipped: why, on what, and the learner's state it was rolled back to."""

    message: str
    rollout: Rollout
    learner: State


class Updatable(Protocol):
    """What the guard wraps."""

    def update(self, rollout: Rollout) -> Metrics: ...

    def skip(self) -> None: ...

    def pose(self, rollout: Rollout) -> Any: ...

    def snapshot(self, rollout: Rollout) -> Mapping[str, Any]: ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


def check_rollout(rollout: Rollout) -> None:
    """Refuse a rollout that holds a number that is not finite, or of which every step is censored.

    Raises:
        NonFiniteError: names the first bad quantity in time, its environment and its component.
    """
    quantities: dict[str, Tensor] = {
        **{f"observation {group!r}": value for group, value in rollout.obs.items()},
        "action": rollout.action,
        "log_prob": rollout.log_prob.unsqueeze(-1),
        **{f"column {name!r}": rollout.reward[..., [i]] for i, name in enumerate(rollout.columns)},
        **{f"next observation {group!r}": value for group, value in rollout.next_obs.items()},
    }
    # A sum is finite only if every term is: one reduction per quantity in the case that is always taken.
    suspects = {name: value for name, value in quantities.items() if not bool(value.sum().isfinite())}
    if bool(rollout.censored.all()):
        raise NonFiniteError(
            "nothing can be measured, as all steps of the rollout are censored: every simulation broke, or returned a "
            "reward or observation that is no number"
        )
    found = [(first, name) for name, value in suspects.items() if (first := _first_bad(value)) is not None]
    if found:
        # Of one step the first in the order above: the observation came before the action.
        (time, environment, component), name = min(found, key=lambda item: item[0][0])
        part = f", component {component}" if suspects[name].shape[-1] > 1 else ""
        value = float(suspects[name][time, environment, component])
        raise NonFiniteError(f"{name} is {value} at step {time} of environment {environment}{part}")


def check_state(state: State, where: str = "", suspects: str = "") -> None:
    """Refuse a learner's state that holds a number that is not finite.

    Args:
        state: of the learner, or a part of it.
        where: that part's name, with a full stop.
        suspects: what is said of where it may come from.

    Raises:
        NonFiniteError: names the first bad entry.
    """
    for key, value in state.items():
        name = f"{where}{key}"
        if isinstance(value, Mapping):
            check_state(dict(value), f"{name}.", suspects)
        elif isinstance(value, list | tuple):
            check_state({str(index): item for index, item in enumerate(value)}, f"{name}.", suspects)
        elif isinstance(value, Tensor) and value.is_floating_point() and not bool(value.isfinite().all()):
            raise NonFiniteError(f"the update made {name} non-finite{suspects}")


class GuardedLearner:
    """A learner whose ``update`` either happens wholly or not at all.

    Attributes:
        learner: the wrapped learner.
        faults: the updates skipped since the last look; whoever looks clears them.
    """

    def __init__(self, learner: Updatable) -> None:
        self.learner = learner
        self.faults: list[Fault] = []

    def update(self, rollout: Rollout) -> Metrics:
        """Update, or roll back and report ``guard/skipped_updates`` 1."""
        before = copy.deepcopy(self.learner.state_dict())
        try:
            check_rollout(rollout)
            metrics = self.learner.update(rollout)
            check_state(self.learner.state_dict(), suspects=_suspects(metrics))
        except NonFiniteError as error:
            self.learner.load_state_dict(before)
            self.learner.skip()
            self.faults.append(Fault(str(error), rollout, before))
            return {"guard/skipped_updates": 1.0}
        return metrics | {"guard/skipped_updates": 0.0}

    def pose(self, rollout: Rollout) -> Any:
        """The wrapped learner's."""
        return self.learner.pose(rollout)

    def snapshot(self, rollout: Rollout) -> Mapping[str, Any]:
        """The wrapped learner's."""
        return self.learner.snapshot(rollout)

    def state_dict(self) -> State:
        """The wrapped learner's."""
        return self.learner.state_dict()

    def load_state_dict(self, state: State) -> None:
        """The wrapped learner's."""
        self.learner.load_state_dict(state)


def _suspects(metrics: Metrics) -> str:
    """The metrics of an update that are no numbers, such as the term of an objective: one of them began it."""
    found = [name for name, value in metrics.items() if not math.isfinite(value)]
    own = [name for name in found if name.startswith("objective/")] or found
    return f", and {', '.join(f'{name} is {metrics[name]}' for name in own[:3])}" if own else ""


def _first_bad(value: Tensor) -> tuple[int, int, int] | None:
    bad = (~torch.isfinite(value)).nonzero()
    if bad.shape[0] == 0:
        return None
    time, environment, component = bad[0].tolist()
    return time, environment, component
