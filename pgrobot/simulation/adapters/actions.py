"""Actions of Gymnasium's spaces: rows of numbers, and what the space itself takes."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces

from pgrobot.errors import PgrobotError
from pgrobot.simulation.model import actuator_names
from pgrobot.simulation.strength import actuator_torques, of_model
from pgrobot.simulation.units import control_units
from pgrobot.types import UNLIMITED, Action, ActionForm

ActionSpace = spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary


def action_space(name: str, space: gymnasium.Space) -> ActionSpace:
    """The space of actions.

    Raises:
        PgrobotError: it is neither a Box nor choices alone.
    """
    if isinstance(space, ActionSpace):
        return space
    parts = space.spaces if isinstance(space, spaces.Dict | spaces.Tuple) else ()
    named = space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(parts)
    told = ", ".join(f"{part}: {type(child).__name__}" for part, child in named)
    raise PgrobotError(
        f"{name} takes {type(space).__name__} actions{f' ({told})' if told else ''}; a policy draws those of one Box, "
        "Discrete, MultiDiscrete or MultiBinary: flatten them by a gymnasium.ActionWrapper of your own around it."
    )


def bounds(space: ActionSpace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least and greatest value and number of choices of every entry, ``[A]`` each; 0 choices: any number between."""
    if isinstance(space, spaces.Box):
        low, high = (bound.astype(np.float64).ravel() for bound in (space.low, space.high))
        return low, high, np.zeros(low.size, np.int64)
    match space:
        case spaces.Discrete():
            choices = np.array([space.n], np.int64)
        case spaces.MultiDiscrete():
            choices = space.nvec.ravel().astype(np.int64)
        case _:
            choices = np.full(math.prod(space.shape), 2)
    return np.zeros(choices.size), choices - 1.0, choices


def as_action(space: ActionSpace, action: np.ndarray) -> Any:
    """An action ``[A]`` float64 within the bounds, as the space has it: whole numbers are rounded to the nearest."""
    if isinstance(space, spaces.Discrete):
        return space.start + space.dtype.type(np.rint(action[0]))
    whole = space.dtype.kind != "f"
    found = (np.rint(action) if whole else action).reshape(space.shape).astype(space.dtype)
    return found + space.start if isinstance(space, spaces.MultiDiscrete) else found


def form(space: ActionSpace) -> ActionForm:
    """How ``as_action`` makes an action what the space has, for whoever acts without it."""
    start: tuple[int, ...] = ()
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        start = tuple(np.ravel(space.start).tolist())
    return ActionForm(space.shape or (), str(space.dtype), start)


def entries(
    model: mujoco.MjModel | None, low: np.ndarray, high: np.ndarray, choices: np.ndarray
) -> tuple[Action, ...]:
    """The entries of an action: the model's controls where there are as many, in its units if the bounds agree."""
    names, units = tuple(f"action{a}" for a in range(low.size)), ("",) * low.size
    gives = [UNLIMITED] * low.size
    if model is not None and model.nu == low.size:
        names = actuator_names(model)
        limited = model.actuator_ctrllimited.astype(bool)[:, None]
        given = np.where(limited, model.actuator_ctrlrange, (-np.inf, np.inf))
        if np.allclose(given, np.stack((low, high), axis=1)) and not choices.any():
            units, gives = (
                control_units(model),
                [(a, b) for a, b in actuator_torques(model, of_model(model))[0].tolist()],
            )
    return tuple(map(Action, names, units, choices.tolist(), gives))
