"""Runs that an older version of pgrobot made: what their files lack in the words of this one, and who made them.

A key that configs did not always have gets a row in `CONFIG`, one that checkpoints did not always have a row in
`STATE`; each says with which value a run goes on as it was. One that had another name or place gets a row in
`CONFIG_MOVED` or `STATE_MOVED`, a class one in `CLASSES`. What has no row is refused, with the version that wrote it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
import yaml
from omegaconf import DictConfig, OmegaConf

from pgrobot import checkpoint
from pgrobot.aliases import settle
from pgrobot.errors import PgrobotError, shown
from pgrobot.initialisation import ANEW
from pgrobot.past_networks import rename_layers, split_networks
from pgrobot.provenance import this_version
from pgrobot.run_directory import made_by
from pgrobot.targets import nodes
from pgrobot.types import State

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Added:
    """A key that files did not always have.

    Attributes:
        node: the key's parent as a pattern: ``evaluation``, ``constraint.*``, ``learners.*.policy``; empty: the whole.
        target: of a config, the ``_target_`` that the parent has to have; empty: any, or none.
        key: its name in the parent.
        value: what it is where it is missing, given the parent.
    """

    node: str
    target: str
    key: str
    value: Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Moved:
    """A key that had another name or place.

    Attributes:
        node: its parent, as of ``Added``.
        old: its name there.
        new: where it went, as a dotted key below the same parent.
    """

    node: str
    old: str
    new: str

    def value(self, was: Any) -> Any:
        """What stands there now for what it was."""
        return was


@dataclass(frozen=True, slots=True)
class Wrapped(Moved):
    """A value that became one key of a part.

    Attributes:
        target: the part's ``_target_``.
        key: the value's name in the part.
    """

    target: str
    key: str

    def value(self, was: Any) -> Any:
        return {"_target_": self.target, self.key: was}


# Classes by the paths that configs named them by, or the beginnings of such paths, which end with a dot.
CLASSES: Mapping[str, str] = {
    "pgrobot.envs.worlds.": "pgrobot.envs.toys.",
    "pgrobot.solvers.MinibatchSolver": "pgrobot.solvers.FirstOrderSolver",
}
CONFIG_MOVED: tuple[Moved, ...] = (
    Moved("", "signal", "intrinsic"),
    # in this order, which is that of the chain
    Wrapped(
        "algorithm.*_solver",
        "max_gradient_norm",
        "chain.clip",
        "pgrobot.solvers.ClipByGlobalNorm",
        "max_norm",
    ),
    Moved("algorithm.*_solver", "optimizer", "chain.optimizer"),
)
STATE_MOVED: tuple[Moved, ...] = (
    Moved("learners.*", "signals", "intrinsic"),
    Moved("collector.environment", "landmark", "reward_state"),
)


IN_REWARD_PER_COST = "multiplier"  # what a multiplier's state called its prices while they were


def _never_reached(multiplier: Mapping[str, Any]) -> State:
    count = len(multiplier["level"])
    return {
        "reached": torch.zeros(count, dtype=torch.int64),
        "told": torch.zeros(count, dtype=torch.bool),
    }


CONFIG: tuple[Added, ...] = (
    *(
        Added("constraint.*.cost", f"pgrobot.envs.costs.{cost}", "substeps", lambda _: "last")
        for cost in ("Torque", "JointVelocity", "Power", "JointLimit")
    ),
    *(
        Added("constraint.*.cost", f"pgrobot.envs.costs.{cost}", "joints", lambda _: "all")
        for cost in ("Torque", "JointVelocity", "Power", "JointLimit")
    ),
    Added("constraint.*.cost", "pgrobot.envs.costs.ActionRate", "actuators", lambda _: "all"),
    Added("constraint.*.cost", "pgrobot.envs.costs.Fall", "body", lambda _: ""),
    Added("constraint.*.cost", "pgrobot.envs.costs.Fall", "height", lambda _: -math.inf),
    Added("constraint.*.cost", "pgrobot.envs.costs.Fall", "tilt", lambda _: math.inf),
    *(
        Added("task", f"pgrobot.envs.drone.{course}", *row)
        for course in ("corridor.DroneCorridor", "gates.DroneGates")
        for row in (("start_heading", lambda _: math.pi), ("paid_speed", lambda _: math.inf))
    ),
    Added("task", "pgrobot.envs.drone.corridor.DroneCorridor", "rays", lambda _: 0),
    Added("task", "pgrobot.envs.drone.corridor.DroneCorridor", "foresight_weight", lambda _: 0.0),
    Added("policy", "pgrobot.policies.NetworkPolicy", "embedding", lambda _: {}),
    Added("policy", "pgrobot.policies.NetworkPolicy", "share_features", lambda _: False),
    Added("critic", "pgrobot.critics.NetworkCritic", "embedding", lambda _: {}),
    Added("algorithm", "", "memory", lambda _: 1),
    Added("algorithm", "", "sample_weights", lambda _: {"_target_": "pgrobot.replay.UniformWeights"}),
    Added("", "", "annealing_steps", lambda cfg: cfg["total_steps"]),
    Added("", "", "resume_fresh", lambda _: False),
    Added("", "", "scheme", lambda _: {"_target_": "pgrobot.schemes.Single"}),
    Added("", "", "wrapper", lambda _: {}),
    Added("evaluation", "", "num_envs", lambda _: 0),
    Added("evaluation", "", "alone", lambda _: False),
    Added("evaluation", "", "pictures", lambda _: True),
    Added("tracker.*", "pgrobot.tracking.Wandb", "checkpoints", lambda _: False),
    Added("tracker.*", "pgrobot.tracking.Wandb", "alert_after", lambda _: 0),
    Added("", "", "report", lambda _: False),
    Added("", "", "variation", lambda _: {}),
    Added("evaluation", "", "variation", lambda _: True),
    Added("", "", "film", lambda _: 0.0),
    Added("", "", "initialise", lambda _: deepcopy(ANEW)),
    Added("algorithm.policy_solver", "pgrobot.solvers.ConstrainedSolver", "integral", lambda _: 0.0),
    Added(
        "policy",
        "pgrobot.policies.HierarchicalPolicy",
        "switch",
        lambda _: {"_target_": "pgrobot.policies.levels.Clock", "_partial_": True},
    ),
)
# Ages were not spread; and prices were in reward per cost, which they are in for rewards of size one.
STATE: tuple[Added, ...] = (
    Added("", "", "acting", lambda _: "robot"),
    Added("collector.environment", "", "stagger", lambda _: torch.zeros((), dtype=torch.int64)),
    Added("collector.environment", "", "stagger_limit", lambda _: torch.ones((), dtype=torch.int64)),
    Added("collector.environment", "", "stagger_turn", lambda _: torch.zeros((), dtype=torch.float64)),
    Added("learners.*.multiplier", "", "level", lambda node: node.get(IN_REWARD_PER_COST, torch.zeros(0))),
    Added("learners.*.multiplier", "", "pricing", lambda _: {"length": math.nan, "square": 0.0, "count": 0}),
    Added("learners.*.multiplier", "", "ceiling", _never_reached),
    Added("learners.*", "", "critic_carry", lambda _: torch.zeros(0, 0)),
    Added("learners.*", "", "prior", lambda _: {}),
    Added("learners.*.policy_solver", "", "owed", lambda _: torch.zeros(())),
    Added("learners.*.policy_solver", "", "recovering", lambda _: False),
    Added("learners.*", "", "window", lambda _: []),
    Added("learners.*", "", "auxiliary", lambda _: {}),
    Added(
        "learners.*.window.*.rollout",
        "",
        "following_obs",
        lambda node: {name: obs[-1:].clone() for name, obs in node["next_obs"].items()},
    ),
)


def matches(pattern: str, key: str) -> bool:
    """Whether a dotted key has as many parts as the pattern, each like the pattern's."""
    patterns, parts = pattern.split("."), key.split(".")
    return len(patterns) == len(parts) and all(map(fnmatchcase, parts, patterns))


def completed(content: dict[str, Any], rows: tuple[Added, ...]) -> dict[str, Any]:
    """Fill in place what a plain nested dict lacks.

    Returns:
        What was filled in, by dotted key.
    """
    filled: dict[str, Any] = {}
    for row in rows:
        for path, node in nodes(content):
            wanted = matches(row.node, path) and row.target in ("", node.get("_target_"))
            if wanted and row.key not in node:
                node[row.key] = row.value(node)
                filled[f"{path}.{row.key}" if path else row.key] = node[row.key]
    return filled


def moved(content: dict[str, Any], rows: tuple[Moved, ...]) -> None:
    """Put in place what a plain nested dict has elsewhere or by another name."""
    for row in rows:
        for _, node in [found for found in nodes(content) if matches(row.node, found[0])]:
            if row.old in node:
                value = row.value(node.pop(row.old))
                *parents, name = row.new.split(".")
                for parent in parents:
                    node = node.setdefault(parent, {})  # noqa: PLW2901
                node[name] = value


def _renamed_classes(content: dict[str, Any]) -> None:
    for _, node in nodes(content):
        target = node.get("_target_")
        for old, new in CLASSES.items():
            if isinstance(target, str) and (target == old or (old.endswith(".") and target.startswith(old))):
                node["_target_"] = new + target[len(old) :]


def complete_config(content: dict[str, Any], run: Path) -> None:
    """Bring the config of ``run`` to the words of this version in place, and say what it lacked."""
    _renamed_classes(content)
    moved(content, CONFIG_MOVED)
    split_networks(content)
    settle(content, ())
    filled = completed(content, CONFIG)
    if filled:
        told = ", ".join(f"{key}={shown(value)}" for key, value in filled.items())
        made = made_by(run)
        maker = f"was made by {made}, whose configs" if made else "has a config that"
        verb = "lack" if made else "lacks"
        _logger.warning("%s %s %s keys; it goes on as it was, with %s", run, maker, verb, told)


def saved_config(run: Path) -> DictConfig:
    """Read the config of a run directory, without trusting what it names; an older version's is completed.

    Raises:
        PgrobotError: it is not there or is not a config.
    """
    path = run / "config.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PgrobotError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise PgrobotError(f"{path} is not the config of a run")
    try:
        complete_config(content, run)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PgrobotError(f"{path} is damaged or cut short: {_lacking(error)}") from error
    return OmegaConf.create(content)


def _lacking(error: Exception) -> str:
    words = " ".join(str(error).split())
    return f"it lacks {words}" if isinstance(error, KeyError) else words


def load_checkpoint(path: Path) -> State:
    """Read a checkpoint, completed by what it lacks; raises what `checkpoint.load` raises."""
    state = checkpoint.load(path)
    moved(state, STATE_MOVED)
    rename_layers(state)
    completed(state, STATE)
    return state


def resumed_checkpoint(path: Path, run: Path) -> State:
    """``load_checkpoint`` for a run that goes on, which says what is no longer as it was."""
    state = load_checkpoint(path)
    if any(IN_REWARD_PER_COST in learner["multiplier"] for learner in state["learners"].values()):
        _logger.warning(
            "%s was made by a version whose prices were in reward per cost; from here on they, and its multiplier's "
            "gains and maximum, count in units of the reward's root mean square, so that its prices change with it",
            run,
        )
    return state


@contextmanager
def fitting(path: Path, run: Path) -> Iterator[None]:
    """Say in one sentence that the checkpoint ``path`` does not fit the config of ``run``, and what made it.

    Raises:
        PgrobotError: whatever goes wrong with a state that does not fit.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        words = " ".join(str(error).split())
        raise PgrobotError(f"{path} does not fit the config of {run}: {words}{of_another(run)}") from error


def of_another(run: Path) -> str:
    """The end of a sentence about a run that another version made."""
    made, this = made_by(run), this_version()
    return f"; {run} was made by {made}, and this is {this}" if made and made != this else ""
