"""How much of its range an entry is drawn from, as training goes on: its strength.

With the strength ``s`` what is drawn lies the share ``s`` of the way from the model's own value to what would be drawn
otherwise: with 0 nothing varies, with 1 all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pgrobot.errors import PgrobotError, nearest, shown
from pgrobot.ranges import above, between, finite
from pgrobot.types import State

BY_STEPS, BY_SUCCESS = ("steps", "start"), ("success", "by", "start")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a strength moves.

    Attributes:
        start: where it begins.
        steps: environment steps, all together, after which it is 1; 0: not by steps.
        by: what it moves by after an episode of its environment; 0: not by success.
        success: the return from which an episode counts as a success: it moves up, and after other episodes down.
    """

    start: float
    steps: float
    by: float
    success: float

    @property
    def moves(self) -> bool:
        """Whether it is not 1 all the time."""
        return bool(self.steps or self.by)


def schedule_of(node: Mapping[str, Any]) -> Schedule:
    """The schedule that a checked node says; an empty one is always at 1."""
    if not node:
        return Schedule(1.0, 0.0, 0.0, 0.0)
    return Schedule(
        node.get("start", 0.0),
        node.get("steps", 0.0),
        node.get("by", 0.1) if "success" in node else 0.0,
        node.get("success", 0.0),
    )


def checked_schedule(path: str, node: Any) -> dict[str, Any]:
    """The node of a schedule with its numbers in their types.

    Raises:
        PgrobotError: names the key that is unknown, missing or out of range.
    """
    if not isinstance(node, dict):
        raise PgrobotError(f"{path} consists of keys, such as {path}.steps, so it cannot be {shown(node)}")
    known = (*BY_STEPS, *(key for key in BY_SUCCESS if key not in BY_STEPS))
    for key in node:
        if key not in known:
            raise PgrobotError(f"{path} has no key {str(key)!r}: {nearest(str(key), known)}")
    if node and ("steps" in node) == ("success" in node):
        raise PgrobotError(
            f"{path} needs either steps, after which all of the range is drawn from, or success, the return from "
            "which an episode counts as one"
        )
    if "by" in node and "success" not in node:
        raise PgrobotError(
            f"{path}.by is for a schedule by success: add {path}.success=<return>, or leave it out"
        )
    rules = {
        "start": between(0.0, 1.0),
        "steps": above(0.0),
        "success": finite,
        "by": above(0.0),
    }
    return {key: rules[key](f"{path}.{key}", value) for key, value in node.items()}


class Curriculum:
    """The strengths of ``E`` entries in ``N`` environments.

    By steps all environments have the same, from the steps that they took together. By success each has its own, so
    that what it draws depends on its own episodes alone.
    """

    def __init__(self, schedules: Sequence[Schedule], num_envs: int) -> None:
        def column(values: Sequence[float]) -> np.ndarray:
            return np.array(values, dtype=np.float64)

        self._start = column([each.start for each in schedules])
        self._steps = column([each.steps for each in schedules])
        self._by = column([each.by for each in schedules])
        self._success = column([each.success for each in schedules])
        self._level = np.tile(self._start, (num_envs, 1))  # [N, E]
        self._earned = np.zeros(num_envs)
        self._taken = 0
        self.moves = any(each.moves for each in schedules)
        self._by_success = bool(self._by.any())

    def strength(self, ids: np.ndarray) -> np.ndarray:
        """Strengths ``[n, E]`` of the episodes that begin now in environments ``ids``."""
        self._earned[ids] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            by_steps = np.minimum(1.0, self._start + (1.0 - self._start) * (self._taken / self._steps))
        return np.where(self._steps > 0.0, by_steps, self._level[ids])

    def count(self, reward: np.ndarray, ended: np.ndarray, broken: np.ndarray) -> None:
        """Count a step: its rewards ``[N]``, which episodes ended with it, and which broke, which tells nothing."""
        self._taken += len(reward)
        if self._by_success:
            self._earned += reward
            told = np.flatnonzero(ended & ~broken)
            if told.size:
                move = np.where(self._earned[told, None] >= self._success, self._by, -self._by)
                self._level[told] = np.clip(self._level[told] + move, self._start, 1.0)

    def state_dict(self) -> State:
        """Steps, strengths and what the running episodes have earned."""
        return {
            "taken": self._taken,
            "level": torch.from_numpy(self._level.copy()),
            "earned": torch.from_numpy(self._earned.copy()),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``."""
        self._taken = state["taken"]
        self._level[:], self._earned[:] = state["level"].numpy(), state["earned"].numpy()
