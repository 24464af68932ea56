"""The window of the last rollouts, and what an update learns from: all of them side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from pgrobot.replay.weights import SampleWeights
from pgrobot.types import Metrics, Rollout, State

_OF_ALL_STEPS = ("episodic", "columns", "telemetry")  # the fields that have no ``[T, N]``
_OF_STEPS = ("obs", "next_obs")
_BY_GROUP = (*_OF_STEPS, "following_obs")


@dataclass(frozen=True, slots=True)
class Experience:
    """A rollout, and what the critic remembered before its first step."""

    rollout: Rollout  # with the columns of the intrinsic rewards            [T, N]
    carry: Tensor  # as the critic was when it met the rollout first         [N, H]


class Window:
    """The last rollouts of a learner, as they were collected: raw observations, and the log-probs of who acted.

    Args:
        memory: how many take part in an update, the newest among them; 1: it alone.
        sample_weights: what the steps of each count.

    Raises:
        PgrobotError: the weights do not go with so many.
    """

    def __init__(self, memory: int, sample_weights: SampleWeights) -> None:
        self._memory = memory
        # what a step of each counts, in steps of the newest: all means are over the sum of the weights
        weights = sample_weights(memory)
        self._counts = tuple(weight / weights[0] for weight in weights)
        self._kept: tuple[Experience, ...] = ()  # the newest first

    def joined(self, newest: Experience, *, again: bool) -> Experience:
        """The newest rollout and those before it, as one of so many more environments; the newest ones come first.

        Until as many have been collected there are fewer.

        Args:
            newest: what was collected last.
            again: whether it has been kept already.
        """
        past = self._kept[int(again) :][: self._memory - 1]
        return side_by_side((newest, *past), self._counts)

    def keep(self, newest: Experience) -> None:
        """An update has learnt from it: it is the past."""
        if self._memory > 1:
            plain = replace(newest, rollout=_plain(newest.rollout))
            self._kept = (plain, *self._kept)[: self._memory]

    def metrics(self, experience: Experience, log_ratio: Tensor) -> Metrics:
        """How far the policies that acted are from the present one, of what ``joined`` returned; with a past only.

        Args:
            experience: all of it.
            log_ratio: of the present policy to the one that acted, ``[T, N]``.
        """
        if self._memory == 1:
            return {}
        weight = experience.rollout.weight
        rollouts = min(1 + len(self._kept), self._memory)
        steps = torch.stack([part.sum() for part in weight.chunk(rollouts, 1)])
        age = torch.arange(rollouts, dtype=weight.dtype)
        distance = torch.where(weight > 0.0, weight * log_ratio.expm1().abs(), 0.0)
        return {
            "replay/rollouts": float(rollouts),
            "replay/staleness": float((steps * age).sum() / steps.sum()),
            "replay/total_variation": float(0.5 * distance.sum() / weight.sum()),
        }

    def state_dict(self) -> list[State]:
        """The rollouts that take part in the next update, the newest first."""
        return [
            {"rollout": _told(one.rollout), "carry": one.carry.clone()}
            for one in self._kept[: self._memory - 1]
        ]

    def load_state_dict(self, state: Sequence[State]) -> None:
        """Continue from ``state``."""
        self._kept = tuple(Experience(_untold(one["rollout"]), one["carry"].clone()) for one in state)


def side_by_side(experiences: Sequence[Experience], counts: Sequence[float]) -> Experience:
    """Rollouts of as many environments as one rollout of all; of a single one it is that rollout itself.

    A shorter one ends with padding, before which its trace is cut.

    Args:
        experiences: the first of them is the newest.
        counts: what a step of each counts, in steps of the first; there may be more than rollouts.
    """
    if len(experiences) == 1:
        return experiences[0]
    longest = max(len(one.rollout.log_prob) for one in experiences)
    rollouts = [_lengthened(one.rollout, longest) for one in experiences]
    weighed = [replace(one, weight=one.weight * count) for one, count in zip(rollouts, counts, strict=False)]
    first = weighed[0]

    def beside(take: Callable[[Rollout], Tensor]) -> Tensor:
        return torch.cat([take(one) for one in weighed], 1)

    joined: State = {"episodic": first.episodic, "columns": first.columns, "telemetry": {}}
    for field in fields(Rollout):
        name = field.name
        if name in _BY_GROUP:
            groups = getattr(first, name)
            joined[name] = {group: beside(lambda one: getattr(one, name)[group]) for group in groups}  # noqa: B023
        elif name not in _OF_ALL_STEPS:
            joined[name] = beside(lambda one: getattr(one, name))  # noqa: B023
    return Experience(Rollout(**joined), torch.cat([one.carry for one in experiences]))


def _plain(rollout: Rollout) -> Rollout:
    """Of a rollout what is learnt from, without telemetry and whatever a kind of its own has besides."""
    known = {field.name: getattr(rollout, field.name) for field in fields(Rollout)}
    return Rollout(**(known | {"telemetry": {}}))


def _lengthened(rollout: Rollout, steps: int) -> Rollout:
    """A rollout of so many steps, the last of which are padding: copies of its last one that count nothing."""
    missing = steps - len(rollout.log_prob)
    if missing == 0:
        return rollout

    def more(x: Tensor) -> Tensor:
        return torch.cat((x, x[-1:].expand(missing, *x.shape[1:])))

    def nothing(x: Tensor) -> Tensor:
        return torch.cat((x, torch.zeros_like(x[-1:]).expand(missing, *x.shape[1:])))

    cut = rollout.truncated.clone()
    cut[-1] |= ~rollout.terminated[-1]
    longer: State = {
        name: {group: more(x) for group, x in getattr(rollout, name).items()} for name in _OF_STEPS
    }
    for name in ("action", "log_prob", "age", "paid", "carry", "duration"):
        longer[name] = more(getattr(rollout, name))
    for name in ("reward", "terminated", "episode_start", "weight"):
        longer[name] = nothing(getattr(rollout, name))
    censored = torch.cat((rollout.censored, torch.ones_like(cut[-1:]).expand(missing, -1)))
    return replace(rollout, **longer, truncated=nothing(cut), censored=censored)


def _told(rollout: Rollout) -> State:
    """A rollout as plain tensors by field and group, in storage of their own."""
    state = {field.name: getattr(rollout, field.name) for field in fields(Rollout)}
    return _copied(state | {"columns": list(rollout.columns)})


def _untold(state: State) -> Rollout:
    return Rollout(**(_copied(state) | {"columns": tuple(state["columns"])}))


def _copied(x: Any) -> Any:
    if isinstance(x, Mapping):
        return {name: _copied(value) for name, value in x.items()}
    return x.clone() if isinstance(x, Tensor) else x
