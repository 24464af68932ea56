"""Runs that are asked for from Python, with the environments that are given there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from omegaconf import DictConfig

from pgrobot.assembly import TaskMaker
from pgrobot.configure import search_path
from pgrobot.errors import PgrobotError, nearest, shown
from pgrobot.given import (
    Env,
    Given,
    check_again,
    check_alone,
    check_run,
    check_same_spaces,
    given,
    source,
    spec_of,
)
from pgrobot.run.request import Request, prepare
from pgrobot.run.result import Result
from pgrobot.run_directory import environment_note
from pgrobot.settings import as_overrides
from pgrobot.spec_file import read_spec


def requested(env: Env | None, evaluation_env: Env | None, settings: Mapping[str, Any]) -> Request:
    """The run that ``train`` is asked for.

    Args:
        env: what is trained in, if not a task of the config.
        evaluation_env: what evaluations take place in, if not the same.
        settings: of the config.

    Raises:
        PgrobotError: one sentence about the first thing that is wrong.
    """
    settings = {key: _named(key, value) for key, value in settings.items()}
    for key, value in settings.items():
        if callable(value) or isinstance(value, gymnasium.Env | EnvSpec):
            raise PgrobotError(
                f"{key}={shown(value)} is nothing that a config can hold, and train has no keyword {key!r}: "
                f"{nearest(key, ('env', 'evaluation_env', 'callback'))}"
            )
    if env is None:
        if evaluation_env is not None:
            raise PgrobotError("evaluation_env= stands beside env=, the environment that is trained in")
        return prepare([*as_overrides(settings), *search_path([])])
    trained = given("env", env)
    if evaluation_env is None and trained.inner is not None:
        raise PgrobotError(
            "env= is one environment, whose episode an evaluation would break off: give a function that builds "
            "them, env=make_env, or another environment beside it, evaluation_env="
        )
    judged = trained if evaluation_env is None else given("evaluation_env", evaluation_env)
    if not isinstance(settings.get("task", {}), Mapping):
        raise PgrobotError(f"env= is the task, and so is task={settings['task']}: leave out one of them")
    chosen = {} if settings.get("resume") else {"task": "python", "task.name": trained.name}
    request = prepare([*as_overrides(chosen), *as_overrides(settings), *search_path([])])
    origin = source(trained, judged, request.cfg, request.directory)
    if request.resume:
        _check_past(trained, judged, request)
    elif judged is not trained:
        cfg = request.cfg
        check_same_spaces(judged, spec_of(judged, cfg), spec_of(trained, cfg), f"env={trained.name}")
    elif request.cfg.num_envs == 1:
        # so that the environment that is trained in is the second one: a function with only one is found out now
        spec_of(trained, request.cfg)
    return replace(request, source=origin)


def _named(key: str, value: Any) -> Any:
    """A run that goes on may be given as what ``train`` returned."""
    return value.path if key == "resume" and isinstance(value, Result) else value


def _check_past(trained: Given, judged: Given, request: Request) -> None:
    """Refuse, or tell of, environments with which a run cannot go on or was not made."""
    cfg, directory = request.cfg, request.directory
    note, wanted = environment_note(directory), read_spec(directory)
    if judged is trained and "evaluation_env" in note:
        raise PgrobotError(
            f"{directory} was given evaluation_env={note['evaluation_env'].get('name')} beside env=: give it again"
        )
    for env in dict.fromkeys((trained, judged)):
        check_same_spaces(env, spec_of(env, cfg), wanted, str(directory))
        check_again(env, note.get(env.word, {}), directory)


def given_again(env: Env, cfg: DictConfig, directory: Path) -> TaskMaker:
    """The task of an evaluation of a run that was given its environment.

    Raises:
        PgrobotError: it was not, or not one with such spaces.
    """
    judged = given("env", env)
    check_run(cfg, directory)
    check_alone(judged, cfg, ", env=make_env")
    check_same_spaces(judged, spec_of(judged, cfg), read_spec(directory), str(directory))
    note = environment_note(directory)
    check_again(judged, note.get("evaluation_env", note.get("env", {})), directory)
    return judged.task
