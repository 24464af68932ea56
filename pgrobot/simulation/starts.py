"""How the episodes of many environments start, and the random streams that it is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.batch import STATE
from pgrobot.simulation.results import array_of, shown_result, words_of

if TYPE_CHECKING:
    from pgrobot.simulation.simulation import Simulation


class Streams:
    """Random streams of ``n`` environments, of which each draws from its own.

    What one environment gets depends on what it was asked for before, and not on the others: row ``i`` of
    ``uniform(low, high, 3)`` is what ``each[i].uniform(low, high, 3)`` gives.

    Args:
        each: the streams.
    """

    def __init__(self, each: Sequence[np.random.Generator]) -> None:
        self.each = tuple(each)

    def __len__(self) -> int:
        return len(self.each)

    def draw(self, drawn: Callable[[np.random.Generator], Any]) -> np.ndarray:
        """What a function draws from each stream, ``[n, …]``."""
        return np.stack([drawn(random) for random in self.each])

    def uniform(self, low: Any, high: Any, shape: int | tuple[int, ...]) -> np.ndarray:
        """Numbers from ``low`` to ``high``, which are broadcast to ``shape``: ``[n, *shape]``."""
        return self.draw(lambda random: random.uniform(low, high, shape))

    def normal(self, shape: int | tuple[int, ...]) -> np.ndarray:
        """Standard normal numbers, ``[n, *shape]``."""
        return self.draw(lambda random: random.standard_normal(shape))

    def integers(self, low: Any, high: Any, shape: int | tuple[int, ...]) -> np.ndarray:
        """Whole numbers from ``low`` to ``high``, which both count: ``[n, *shape]``."""
        return self.draw(lambda random: random.integers(low, high, shape, endpoint=True))


@dataclass(frozen=True)
class Starts:
    """How ``n`` episodes start, one in each row.

    Attributes:
        qpos, qvel: positions ``[n, nq]`` and velocities ``[n, nv]``.
        state: more of MuJoCo's state by its field, such as ``mocap_pos`` ``[n, nmocap, 3]``, ``act`` or ``userdata``;
            what is not named starts as the model has it.
        memory: what the robot remembers, ``[n, W]`` by name; what is not named starts as zeros.
    """

    qpos: np.ndarray
    qvel: np.ndarray
    state: Mapping[str, np.ndarray] = field(default_factory=dict)
    memory: Mapping[str, np.ndarray] = field(default_factory=dict)


def drawn_one_by_one(
    method: Callable[..., tuple[np.ndarray, np.ndarray]], simulation: Simulation, randoms: Streams
) -> Starts:
    """Starts of which each is drawn by a function, ``initial_state``, by itself.

    Raises:
        PgrobotError: it returns something else than two arrays, of positions and of velocities.
    """
    nq, nv = simulation.model.nq, simulation.model.nv
    pairs = []
    for random in randoms.each:
        drawn = method(simulation, random)
        if not isinstance(drawn, tuple | list) or len(drawn) != 2:
            raise PgrobotError(
                f"{words_of(method)} has to return two arrays, qpos ({nq},) and qvel ({nv},), but "
                f"returned {shown_result(drawn)}."
            )
        qpos, qvel = drawn
        pairs.append((array_of(method, qpos, (nq,), "qpos"), array_of(method, qvel, (nv,), "qvel")))
    return Starts(np.stack([qpos for qpos, _ in pairs]), np.stack([qvel for _, qvel in pairs]))


def checked_starts(method: Callable[..., Any], found: Any, simulation: Simulation, count: int) -> Starts:
    """Starts of ``count`` episodes in arrays of their own, but for what is remembered.

    Raises:
        PgrobotError: what ``method`` returned is none, or does not fit the model; names the field.
    """
    if not isinstance(found, Starts):
        raise PgrobotError(f"{words_of(method)} has to return Starts, but returned {shown_result(found)}.")
    unknown = [name for name in found.state if name not in STATE]
    if unknown:
        raise PgrobotError(
            f"{words_of(method)} starts with {unknown[0]!r}, which is no state of MuJoCo's to start from beside qpos "
            f"and qvel: {nearest(str(unknown[0]), STATE)}"
        )
    state = {
        name: array_of(method, value, (count, *simulation.field(name).shape[1:]), name)
        for name, value in found.state.items()
    }
    for name, value in state.items():
        check_numbers(method, name, value)
    model = simulation.model
    return Starts(
        array_of(method, found.qpos, (count, model.nq), "qpos"),
        array_of(method, found.qvel, (count, model.nv), "qvel"),
        state,
        found.memory,
    )


def check_numbers(method: Callable[..., Any], name: str, found: np.ndarray) -> None:
    """Refuse what is not finite; raises PgrobotError, which names the function and the field."""
    if not np.isfinite(found).all():
        bad = found[~np.isfinite(found)][0]
        raise PgrobotError(
            f"{words_of(method)} has to return finite numbers as {name!r}, but returned {bad}."
        )
