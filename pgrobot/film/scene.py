"""What there is to see of an environment: its mechanics where MuJoCo simulates it, else what it draws of itself."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import mujoco
import numpy as np

from pgrobot.errors import FailureError, PgrobotError, in_a_sentence
from pgrobot.simulation import BatchEnvironment
from pgrobot.simulation.adapters.serial import SerialEnvironment
from pgrobot.simulation.camera import Camera
from pgrobot.simulation.wrappers import innermost
from pgrobot.types import Environment


@dataclass(frozen=True, slots=True)
class Mechanics:
    """A robot that MuJoCo simulates.

    Attributes:
        model: the compiled model.
        state: copies the first environment's present state.
    """

    model: mujoco.MjModel
    state: Callable[[], mujoco.MjData]


class Scene(Protocol):
    """A window on the first environment of several."""

    def picture(self) -> np.ndarray:
        """What it looks like now, ``[height, width, 3]`` uint8.

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
        return Mechanics(inner.model, lambda: batch.get_data(0))
    if not isinstance(inner, SerialEnvironment):
        return None
    instance: Any = inner.instance(0).unwrapped
    model, data = getattr(instance, "model", None), getattr(instance, "data", None)
    if not isinstance(model, mujoco.MjModel) or not isinstance(data, mujoco.MjData):
        return None
    return Mechanics(model, lambda: copy.copy(instance.data))


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
    if mechanics is not None:
        return MechanicalScene(mechanics, width, height)
    inner = innermost(environment)
    if isinstance(inner, SerialEnvironment):
        return DrawnScene(inner)
    raise FailureError(
        f"{environment.spec.name} cannot be drawn: it is neither simulated by MuJoCo nor a Gymnasium environment."
    )


class MechanicalScene:
    """Drawn by MuJoCo, without shadows, which take a processor without graphics as long as all the rest."""

    def __init__(self, mechanics: Mechanics, width: int, height: int) -> None:
        model = copy.copy(mechanics.model)
        model.vis.quality.shadowsize = 0
        self._state = mechanics.state
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # GLFW's, of what the sentence below says
                self._camera = Camera(model, width, height)
        except PgrobotError as error:
            raise FailureError(f"There is no film: {error}") from error

    def picture(self) -> np.ndarray:
        return self._camera.picture(self._state())

    def close(self) -> None:
        self._camera.close()


class DrawnScene:
    """Drawn by a Gymnasium environment itself."""

    def __init__(self, environment: SerialEnvironment) -> None:
        self._environment = environment

    def picture(self) -> np.ndarray:
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
