"""Any registered Gymnasium environment as a task."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
from gymnasium.wrappers import TimeLimit

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.adapters.instance import number, raised_in
from pgrobot.simulation.adapters.serial import SerialEnvironment, built
from pgrobot.simulation.adapters.wrappers import attributes, layers
from pgrobot.simulation.costs import Cost
from pgrobot.simulation.model_files import NO_MODEL, ModelFiles

LIMIT = "_max_episode_steps"  # of Gymnasium's TimeLimit


@dataclass(frozen=True, kw_only=True)
class GymnasiumTask:
    """A Gymnasium environment with actions that are a Box or choices.

    Attributes:
        id: its registered name, e.g. ``"Pendulum-v1"``; ``"module:Name-v0"`` imports the module that registers it.
        kwargs: handed to ``gymnasium.make``.
    """

    id: str
    kwargs: Mapping[str, Any]

    def make(self, num_envs: int, costs: Mapping[str, Cost], seed: int, threads: int) -> SerialEnvironment:
        """Build ``num_envs`` instances; they are stepped in turn, so ``threads`` is of no consequence.

        Raises:
            PgrobotError: no such environment, one that cannot be built, or one that cannot be trained.
        """
        return serial(
            self.id, self.build, num_envs, costs, seed, remedy="+task.kwargs.max_episode_steps=1000"
        )

    def model_files(self) -> ModelFiles:
        """The MJCF file that ``kwargs.xml_file`` names, where it is a path as Gymnasium's robots understand it."""
        named = self.kwargs.get("xml_file")
        if (
            isinstance(named, str)
            and named.startswith((".", "/", "~"))
            and Path(named).expanduser().is_file()
        ):
            return ModelFiles.of("kwargs.xml_file", Path(named).expanduser())
        return NO_MODEL

    def build(self) -> gymnasium.Env:
        """Build one instance; a task derived from it may wrap it.

        Raises:
            PgrobotError: no such environment, or one that cannot be built.
        """
        return registered(self.id, self.kwargs)


def registered(name: str, kwargs: Mapping[str, Any]) -> gymnasium.Env:
    """Build the environment that Gymnasium knows by a name; raises PgrobotError where it cannot."""
    try:
        return gymnasium.make(name, disable_env_checker=True, **kwargs)
    except gymnasium.error.UnregisteredEnv as error:
        raise PgrobotError(
            f"task.id={name} is no registered Gymnasium environment: {nearest(name, gymnasium.registry)}"
        ) from error
    except Exception as error:
        known = isinstance(error, gymnasium.error.Error | ImportError | TypeError)
        if not known and not raised_in(error, ("gymnasium.envs.registration", "gymnasium.wrappers")):
            raise
        raise PgrobotError(
            f"Gymnasium cannot build {name} with task.kwargs={dict(kwargs)}: {error}"
        ) from error


def serial(
    name: str,
    build: Callable[[], gymnasium.Env],
    num_envs: int,
    costs: Mapping[str, Cost],
    seed: int,
    remedy: str,
) -> SerialEnvironment:
    """Build instances of a Gymnasium environment and step them in turn.

    Args:
        name: what users call it.
        build: builds one instance.
        num_envs: how many.
        costs: the constraints' costs by name.
        seed: of all episodes.
        remedy: what gives an environment a time limit that has none.

    Raises:
        PgrobotError: one cannot be built or trained, or has no time limit.
    """
    if num_envs < 1:
        raise PgrobotError(f"num_envs={num_envs} has to be at least 1.")
    environments = built(build, num_envs)
    try:
        instance = environments[0]
        for word in ("observation_space", "action_space"):
            if not isinstance(getattr(instance, word, None), gymnasium.Space):
                raise PgrobotError(f"{name} has no {word}, which has to be a space of Gymnasium.")
        model = getattr(instance.unwrapped, "model", None)
        steps = time_limit(instance)
        if not steps:
            raise PgrobotError(
                f"{name} has no time limit, so an episode may never end: give it one with {remedy}."
            )
        return SerialEnvironment(
            name=name,
            environments=environments,
            build=build,
            costs=costs,
            seed=seed,
            max_episode_steps=steps,
            control_dt=control_dt(name, instance),
            model=model if isinstance(model, mujoco.MjModel) else None,
        )
    except PgrobotError:
        for environment in environments:
            environment.close()
        raise


def time_limit(instance: gymnasium.Env) -> int:
    """Steps after which an episode is truncated, by its spec or a ``TimeLimit`` around it; 0 if neither says so."""
    told = instance.spec.max_episode_steps if instance.spec else None
    limits = [attributes(layer)[LIMIT] for layer in layers(instance) if isinstance(layer, TimeLimit)]
    return int(min([*limits, *([told] if told is not None and told >= 0 else [])], default=0))


def control_dt(name: str, instance: gymnasium.Env) -> float:
    """Seconds per step: the environment's ``dt``, else one over its ``render_fps``, else 1.

    Raises:
        PgrobotError: what it says is no positive number.
    """
    if hasattr(instance.unwrapped, "dt"):
        return _positive(f"dt of {name}", instance.unwrapped.dt)
    metadata = instance.metadata if isinstance(instance.metadata, Mapping) else {}
    return 1.0 / _positive(f"metadata['render_fps'] of {name}", metadata.get("render_fps", 1.0))


def _positive(owner: str, found: Any) -> float:
    value = number(owner, found)
    if not 0.0 < value < math.inf:
        raise PgrobotError(f"{owner} has to be a positive number, not {value:g}.")
    return value
