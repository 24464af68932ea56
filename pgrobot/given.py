"""Environments given from Python: what ``env=`` and ``evaluation_env=`` may be, and what a run remembers of them."""

from __future__ import annotations

import functools
import inspect
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from omegaconf import DictConfig

from pgrobot.assembly import Source, build_environment
from pgrobot.errors import PgrobotError
from pgrobot.same_spaces import first_difference
from pgrobot.simulation.adapters import Factory, FactoryTask, GivenTask, Lent, described
from pgrobot.simulation.model_files import digest
from pgrobot.types import EnvironmentSpec

Env = Callable[[], gymnasium.Env] | EnvSpec | gymnasium.Env
TARGET = f"{GivenTask.__module__.rpartition('.')[0]}.{GivenTask.__name__}"
ORIGIN = "given from Python: pgrobot.train(resume=…) and pgrobot.evaluate(…) take it again, as env="

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """One environment, or a way to build them, under the keyword that gave it.

    Attributes:
        word: the keyword.
        name: what was given, in a word.
        build: builds another one, or hands out the one that there is.
        inner: that one, without its wrappers; None where there are as many as are built.
        note: what the manifest says of it.
    """

    word: str
    name: str
    build: Callable[[], gymnasium.Env]
    inner: gymnasium.Env | None
    note: Mapping[str, Any]

    def task(self, cfg: DictConfig) -> FactoryTask:
        """The task of a run with this environment."""
        return FactoryTask(f"{self.word}={self.name}", self.build, cfg.task.max_episode_steps)


def given(word: str, env: Any) -> Given:
    """Read what ``word=`` was given.

    Raises:
        PgrobotError: it is no factory, EnvSpec or environment, or a factory that needs arguments.
    """
    match env:
        case EnvSpec():
            build: Callable[[], Any] = lambda: gymnasium.make(env, disable_env_checker=True)
            return _several(word, env.id, build, {**_origin(env.entry_point), **_spec(env)})
        case gymnasium.Env():
            name = type(env.unwrapped).__name__
            note = {"kind": "environment", **_origin(type(env.unwrapped))}
            return Given(word, name, lambda: Lent(env), env.unwrapped, note)
        case str():
            raise PgrobotError(
                f"{word}= is {env!r}, and takes a function that builds an environment, or an EnvSpec: "
                f"{word}=gymnasium.spec({env!r})"
            )
    if not callable(env):
        raise PgrobotError(
            f"{word}= is {described(env)}: give a function that builds a gymnasium.Env, {word}=make_env, or an "
            f"EnvSpec, {word}=gymnasium.spec('Pendulum-v1')"
        )
    missing = _missing(env)
    name = str(getattr(_function(env), "__name__", type(env).__name__))
    if missing:
        raise PgrobotError(
            f"{word}={name} is called without arguments, and needs {missing!r}: "
            f"{word}=lambda: {name}({missing}=…)"
        )
    return _several(word, name, env, {"kind": "factory", **_origin(_function(env))})


def source(env: Given, evaluation: Given, cfg: DictConfig, run: Path) -> Source:
    """Where the environments of the run in the directory ``run`` come from, for its config.

    Raises:
        PgrobotError: the config names a task; or one environment is given where there have to be several, or where it
            would be in use twice at once.
    """
    check_run(cfg, run)
    if env.inner is not None and cfg.num_envs != 1:
        raise PgrobotError(
            f"env= is one environment, and num_envs={cfg.num_envs}: give a function that builds them, env=make_env, "
            "or train in this one with num_envs=1 and a horizon of, say, 2048"
        )
    check_alone(evaluation, cfg, ", or train with evaluation={'num_envs': 1}")
    if env.inner is not None and env.inner is evaluation.inner and not cfg.evaluation.alone:
        raise PgrobotError(
            "evaluation_env= is env= itself, whose episode an evaluation would break off: give another one, or add "
            "evaluation={'alone': True}, after which the episode is played again"
        )
    apart = {} if evaluation is env else {evaluation.word: dict(evaluation.note)}
    return Source(env.task, evaluation.task, {"origin": ORIGIN, env.word: dict(env.note), **apart})


def check_alone(evaluation: Given, cfg: DictConfig, remedy: str) -> None:
    """Refuse one environment for evaluations that step several; ``remedy`` says what else to do about it.

    Raises:
        PgrobotError: they do.
    """
    if evaluation.inner is not None and cfg.evaluation.num_envs != 1:
        raise PgrobotError(
            f"{evaluation.word}= is one environment, and evaluation.num_envs={cfg.evaluation.num_envs} evaluates in "
            f"several: give a function that builds them{remedy}"
        )


def check_run(cfg: DictConfig, run: Path) -> None:
    """Refuse ``env=`` for a run whose config says what its task is.

    Raises:
        PgrobotError: it does.
    """
    if cfg.task.get("_target_") != TARGET:
        raise PgrobotError(f"{run} was not trained with env=, for its config has the task: leave out env=")


def spec_of(env: Given, cfg: DictConfig) -> EnvironmentSpec:
    """Build one environment, look at it and close it.

    Raises:
        PgrobotError: it cannot be built or trained.
    """
    built = build_environment(cfg, 1, 0, 1, env.task)
    built.close()
    return built.spec


def check_same_spaces(env: Given, found: EnvironmentSpec, wanted: EnvironmentSpec, of: str) -> None:
    """Refuse an environment that has other spaces than ``of``, and tell of longer or shorter episodes.

    Raises:
        PgrobotError: names the first difference.
    """
    different = first_difference(found, wanted)
    if different:
        raise PgrobotError(f"{env.word}={env.name} has other spaces than {of}: it {different}")
    if found.max_episode_steps != wanted.max_episode_steps:
        limits = found.max_episode_steps, wanted.max_episode_steps
        _logger.warning(
            "%s=%s has episodes of %d steps, and %s of %d.", env.word, env.name, limits[0], of, limits[1]
        )


def check_again(env: Given, note: Mapping[str, Any], run: Path) -> None:
    """Say that what is given to go on with a run is not what it had, ``note``: it may be the same by another name."""
    if note.get("name") != env.note.get("name"):
        _logger.warning(
            "%s had %s=%s, and goes on with %s.", run, env.word, note.get("name"), env.note["name"]
        )
    elif note != env.note:
        what = "file" if note.get("sha256") != env.note.get("sha256") else "options"
        _logger.warning("%s=%s is not what %s had: its %s changed.", env.word, env.name, run, what)


def _spec(spec: EnvSpec) -> dict[str, Any]:
    """An ``EnvSpec`` for the manifest, with its options where a file can hold them."""
    note = {"kind": "spec", "name": spec.id}
    try:
        return {**note, "spec": json.loads(spec.to_json())}
    except (TypeError, ValueError):  # it names functions
        return note


def _several(word: str, name: str, build: Callable[[], Any], note: Mapping[str, Any]) -> Given:
    return Given(word, name, Factory(f"{word}={name}", build), None, note)


def _function(env: Any) -> Any:
    """The function in ``functools.partial``s."""
    return _function(env.func) if isinstance(env, functools.partial) else env


def _missing(env: Callable[..., Any]) -> str:
    """The first parameter that a call without arguments lacks, or nothing."""
    try:
        parameters = inspect.signature(env).parameters
    except (TypeError, ValueError):  # built in
        return ""
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return next(
        (key for key, each in parameters.items() if each.default is each.empty and each.kind not in variadic),
        "",
    )


def _origin(of: Any) -> dict[str, str]:
    """The qualified name of a function or class, the file of its source and that file's hash, where they are known."""
    if isinstance(of, str) or of is None:
        return {}
    named = of if hasattr(of, "__qualname__") else type(of)
    note = {"name": f"{named.__module__}.{named.__qualname__}"}
    try:
        file = Path(inspect.getsourcefile(named) or "").resolve()
        return {**note, "file": str(file), "sha256": digest(file.read_bytes())}
    except (OSError, TypeError):
        return note
