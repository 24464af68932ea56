"""What the simulations of a robot remember from step to step: commands, goals, last actions, phases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.results import array_of, shown_result, truths_of, words_of
from pgrobot.simulation.simulation import Simulation
from pgrobot.simulation.starts import Streams, check_numbers
from pgrobot.types import State

if TYPE_CHECKING:
    from pgrobot.simulation.task import Robot

NOBODY = np.empty(0, np.intp)


class Memory:
    """What ``N`` simulations remember, which their robot declares, draws and moves on.

    Args:
        robot: says so.
        simulation: shows it, by ``simulation.memory(name)``.

    Attributes:
        any: whether there is anything.

    Raises:
        PgrobotError: a name or a width is none, or a robot draws anew what it does not remember.
    """

    def __init__(self, robot: Robot, simulation: Simulation) -> None:
        self._robot, self._simulation = robot, simulation
        widths = _checked_widths(robot.memory, robot.memory(simulation))
        self._kept = {name: np.zeros((simulation.num_envs, width)) for name, width in widths.items()}
        self.any = bool(self._kept)
        simulation.remember(self._kept)

    def begin(self, ids: np.ndarray, method: Callable[..., Any], found: Mapping[str, np.ndarray]) -> None:
        """Remember in simulations ``ids`` what ``method`` drew for their new episodes, and zeros of what it did not.

        Raises:
            PgrobotError: it drew something that is not remembered, or is no numbers; nothing was changed.
        """
        drawn = self._checked(method, found, len(ids))
        for name, kept in self._kept.items():
            kept[ids] = drawn.get(name, 0.0)

    def advance(
        self, action: np.ndarray, randoms: Sequence[np.random.Generator], broken: Iterable[int]
    ) -> None:
        """Go on after a step: first all by what the robot makes of it, then what is due for another draw.

        Args:
            action: what was done ``[N, A]``.
            randoms: the environments' own streams.
            broken: simulations whose episodes are over; they keep what they remember.

        Raises:
            PgrobotError: the robot returns something that is not remembered, or is no numbers.
        """
        robot, simulation = self._robot, self._simulation
        gone = np.fromiter(broken, dtype=np.intp)
        found = robot.remembered(simulation, action)
        self._write(slice(None), robot.remembered, found, simulation.num_envs, gone)
        due = truths_of(robot.due, robot.due(simulation), simulation.num_envs)
        due[gone] = False
        ids = np.flatnonzero(due)
        if ids.size:
            streams = Streams([randoms[i] for i in ids.tolist()])
            found = robot.redrawn(simulation, ids, streams)
            self._write(ids, robot.redrawn, found, len(ids), NOBODY)

    def state_dict(self) -> State:
        """What is remembered, in copies."""
        return {name: torch.from_numpy(kept.copy()) for name, kept in self._kept.items()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Continue from ``state``.

        Raises:
            PgrobotError: it is of a robot that remembers something else.
        """
        saved = {name: tuple(value.shape) for name, value in state.items()}
        own = {name: kept.shape for name, kept in self._kept.items()}
        if saved != own:
            raise PgrobotError(
                f"the saved memory does not fit {self._robot.title}: it has {saved or 'nothing'} instead of {own}."
            )
        for name, kept in self._kept.items():
            kept[:] = state[name].numpy()

    def _write(self, rows: Any, method: Callable[..., Any], found: Any, count: int, but: np.ndarray) -> None:
        """Write what ``method`` returned, but for some rows; all of it is looked at before any is written."""
        for name, value in self._checked(method, found, count, but).items():
            self._kept[name][rows] = value

    def _checked(
        self, method: Callable[..., Any], found: Any, count: int, but: np.ndarray = NOBODY
    ) -> dict[str, np.ndarray]:
        """What a function returned, ``[count, W]`` by name, in arrays of its own; rows ``but`` are as they were."""
        if not isinstance(found, Mapping):
            raise PgrobotError(
                f"{words_of(method)} has to return a dict of what is remembered, but returned {shown_result(found)}."
            )
        checked = {}
        for name, value in found.items():
            if name not in self._kept:
                raise PgrobotError(
                    f"{words_of(method)} remembers {name!r}, which {words_of(self._robot.memory)} does not declare: "
                    f"{nearest(str(name), self._kept)}"
                )
            kept = self._kept[name]
            checked[name] = array_of(method, value, (count, kept.shape[1]), name)
            checked[name][but] = kept[but]
            check_numbers(method, name, checked[name])
        return checked


def _checked_widths(method: Callable[..., Any], found: Any) -> dict[str, int]:
    if not isinstance(found, Mapping):
        raise PgrobotError(
            f"{words_of(method)} has to return a dict of widths, such as {{'command': 3}}, but returned "
            f"{shown_result(found)}."
        )
    for name, width in found.items():
        if not isinstance(name, str) or not name:
            raise PgrobotError(f"{words_of(method)} has to name what is remembered by texts, not {name!r}.")
        if not isinstance(width, int | np.integer) or isinstance(width, bool) or width < 1:
            raise PgrobotError(
                f"{words_of(method)} has to say how many numbers {name!r} is, at least 1, not {width!r:.60}."
            )
    return {name: int(width) for name, width in found.items()}
