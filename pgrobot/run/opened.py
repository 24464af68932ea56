"""A run that exists, with its policy as a checkpoint has it and the task that it is judged in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from pgrobot.assembly import TaskMaker, build_environment, configured
from pgrobot.configure.schema import EvaluationConfig
from pgrobot.constraints import check_bound
from pgrobot.given import Env
from pgrobot.past import fitting, load_checkpoint, saved_config
from pgrobot.policies import Acting
from pgrobot.run.checking import checked
from pgrobot.run.from_python import given_again
from pgrobot.run.own_model import with_own_model
from pgrobot.schemes import build_constraints, cast, policies_of, restored
from pgrobot.signatures import hints
from pgrobot.types import EnvironmentSpec

# What keys of ``evaluation`` are called where a run is judged again.
_ALIASES = {"episodes": "final_episodes"}


@dataclass(frozen=True, slots=True)
class Opened:
    """What an evaluation of a run needs.

    Attributes:
        cfg: of the run, with its own model.
        task: what it is judged in.
        spec: of one such environment.
        policy: who acts.
        step: environment steps after which the checkpoint was saved.
    """

    cfg: DictConfig
    task: TaskMaker
    spec: EnvironmentSpec
    policy: Acting
    step: int


def config_again(run: Path, modules: Sequence[str], changes: Mapping[str, Any]) -> DictConfig:
    """The checked config of a run, with other ``modules`` and keys of ``evaluation``; ``episodes`` are the last ones'.

    Raises:
        PgrobotError: what is wrong, and which version made the run.
    """
    check_changes(changes, "")
    cfg = saved_config(run)
    cfg.modules = list(modules)
    saved = deepcopy(cfg)
    for key, value in changes.items():
        cfg.evaluation[_ALIASES.get(key, key)] = value
    return checked(cfg, run, saved)


def check_changes(changes: Mapping[str, Any], mark: str) -> None:
    """Refuse what keys of ``evaluation`` may not be, by the words in which they were given.

    Args:
        changes: as of ``config_again``.
        mark: what a key's name begins with where it was given: ``--`` of an option.

    Raises:
        PgrobotError: names the first.
    """
    known = hints(EvaluationConfig)
    for key, value in changes.items():
        rule = known[_ALIASES.get(key, key)].rule
        assert rule is not None, "every key of evaluation has one"
        rule(f"{mark}{key}", value)


def opened(cfg: DictConfig, run: Path, checkpoint: Path, env: Env | None) -> Opened:
    """Open a run.

    Args:
        cfg: as ``config_again`` gives it.
        run: its directory.
        checkpoint: the file that holds the policy.
        env: of a run that was given its environment, that one again.

    Raises:
        PgrobotError: the checkpoint or the environment does not fit, the model is another one, or a cost says too
            little for the bound.
    """
    state = load_checkpoint(checkpoint)
    own = with_own_model(cfg, run)
    task = configured if env is None else given_again(env, own, run)
    environment = build_environment(own, 1, 0, 1, task)
    spec = environment.spec
    environment.close()
    check_bound(build_constraints(own), spec.highest_cost, own.evaluation.bound)
    scheme, learners = cast(own, spec, 1)
    with fitting(checkpoint, run):
        policy = restored(scheme, policies_of(learners), state)
    return Opened(own, task, spec, policy, state["global_step"])
