"""What there is to see of an environment: its mechanics where MuJoCo simulates it, else what it draws of itself."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import mujoco
import numpy as np

from pgrobot.errors import FailureError, PgrobotError, in_a_sentence
from pgrobot.simulation import BatchEnvironment
from pgrobot.simulation.adapters.serial import SerialEnvironment
from pgrobot.simulation.auto_reset import AutoReset
from pgrobot.simulation.camera import Camera
from pgrobot.simulation.wrappers import innermost
from pgrobot.types import Environment


@dataclass(frozen=True, slots=True)
class Mechanics:
    """A robot that MuJoCo simulates.

    Attributes:
        model: the compiled model.
        state: copies the first environment's present state.
        present: the first environment's present model, where it varies.
        write: makes a copy of the model that one.
    """

    model: mujoco.MjModel
    state: Callable[[], mujoco.MjData]
    present: Callable[[], mujoco.MjModel]
    write: Callable[[mujoco.MjModel], None]


class Scene(Protocol):
    """A window on the first environment of several."""

    def picture(self, *, ended: bool) -> np.ndarray:
        """What it looks like now, ``[height, width, 3]`` uint8.

        Args:
            ended: what the episode that ended with the last step looked like then, not the next one's beginning.

        Raises:
            FailureError: it cannot be drawn.
        """
        ...

    def close(self) -> None:
        """Release what drawing took."""
        ...


def mechanics_of(environment: Environment) -> Mechanics | None:
    """The mechanics of an environment; None where it is not simulated by MuJoCo, or nothing tells."""
    inner = innermost(environment)
    if isinstance(inner, BatchEnvironment):
        batch = inner.simulation.batch
        models = batch.models
        return Mechanics(
            inner.model, lambda: batch.get_data(0), lambda: models.of(0), lambda model: models.write(0, model)
        )
    if not isinstance(inner, SerialEnvironment):
        return None
    instance: Any = inner.instance(0).unwrapped
    model, data = getattr(instance, "model", None), getattr(instance, "data", None)
    if not isinstance(model, mujoco.MjModel) or not isinstance(data, mujoco.MjData):
        return None
    return Mechanics(model, lambda: copy.copy(instance.data), lambda: model, lambda _: None)


def scene_of(environment: Environment, width: int, height: int) -> Scene:
    """A window on the first environment.

    Args:
        environment: one that MuJoCo simulates, or a Gymnasium environment made with ``render_mode="rgb_array"``.
        width: of the pictures in pixels; a Gymnasium environment that draws itself has a size of its own.
        height: likewise.

    Raises:
        FailureError: this machine cannot draw, or the environment cannot.
    """
    mechanics = mechanics_of(environment)
    inner = innermost(environment)
    if mechanics is not None:
        assert isinstance(inner, AutoReset)
        return MechanicalScene(mechanics, width, height, inner)
    if isinstance(inner, SerialEnvironment):
        return DrawnScene(inner)
    raise FailureError(
        f"{environment.spec.name} cannot be drawn: it is neither simulated by MuJoCo nor a Gymnasium environment."
    )


T = TypeVar("T")


class LastSight(Generic[T]):
    """What there was to see of the first environment when its last episode ended.

    Args:
        environment: which begins the next episode in the same step.
        look: sees it.
    """

    def __init__(self, environment: AutoReset, look: Callable[[], T]) -> None:
        self._environment, self._look = environment, look
        self._seen: list[T] = []
        environment.leaving = (*environment.leaving, self._leave)

    def of(self, *, ended: bool) -> T:
        """What was seen then, or what there is to see now."""
        return self._seen[-1] if ended and self._seen else self._look()

    def close(self) -> None:
        self._environment.leaving = tuple(told for told in self._environment.leaving if told != self._leave)

    def _leave(self, ids: np.ndarray) -> None:
        if 0 in ids:
            self._seen = [self._look()]


class MechanicalScene:
    """Drawn by MuJoCo, without shadows, which take a processor without graphics as long as all the rest."""

    def __init__(self, mechanics: Mechanics, width: int, height: int, environment: AutoReset) -> None:
        model = copy.copy(mechanics.model)
        model.vis.quality.shadowsize = 0
        self._mechanics, self._model = mechanics, model
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # GLFW's, of what the sentence below says
                self._camera = Camera(model, width, height)
        except PgrobotError as error:
            raise FailureError(f"There is no film: {error}") from error
        self._sight = LastSight(environment, self._look)

    def picture(self, *, ended: bool) -> np.ndarray:
        return self._camera.picture(self._sight.of(ended=ended))

    def _look(self) -> mujoco.MjData:
        """The present state, on the model that its episode has."""
        self._mechanics.write(self._model)
        return self._mechanics.state()

    def close(self) -> None:
        self._sight.close()
        self._camera.close()


class DrawnScene:
    """Drawn by a Gymnasium environment itself."""

    def __init__(self, environment: SerialEnvironment) -> None:
        self._environment = environment
        self._sight = LastSight(environment, self._drawn)

    def picture(self, *, ended: bool) -> np.ndarray:
        return self._sight.of(ended=ended)

    def _drawn(self) -> np.ndarray:
        name = self._environment.spec.name
        try:
            found = self._environment.instance(0).render()
        except Exception as error:  # each environment has its own
            raise FailureError(f"{name} cannot draw itself: {in_a_sentence(error)}") from error
        if isinstance(found, list) and found:
            found = found[-1]
        if not isinstance(found, np.ndarray) or found.dtype != np.uint8 or found.shape[2:] != (3,):
            raise FailureError(
                f"{name} cannot be drawn: its render() returned no picture [height, width, 3] of uint8, as "
                'render_mode="rgb_array" has it.'
            )
        return found

    def close(self) -> None:
        """The environment releases its own."""
        self._sight.close()
