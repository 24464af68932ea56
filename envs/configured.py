"""A robot and its costs as ``conf/`` describes them, for programs that do not go through Hydra."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module, resources
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation import BatchEnvironment

Costs = Mapping[str, Mapping[str, Any]]  # constraint -> the options of its cost that differ


def build(
    robot: str, costs: Costs, num_envs: int, threads: int, options: Mapping[str, Any]
) -> BatchEnvironment:
    """N environments of a robot, configured as in ``conf/task`` and ``conf/constraint`` but for what is given.

    Raises:
        PgrobotError: no such robot, cost or option.
    """
    task = _changed(_load("task", robot), options, f"pgrobot/{robot}")
    config = OmegaConf.create({"task": task, "costs": {}})
    for name, changes in costs.items():
        constraint = _load("constraint", name)
        if name not in constraint:
            raise PgrobotError(f"the constraint '{name}' has no cost to report.")
        config.costs[name] = _changed(constraint[name].cost, changes, f"the cost {name}")
    built = {name: _instantiate(config.costs[name]) for name in costs}
    environment: BatchEnvironment = _instantiate(config.task).make(num_envs, built, 0, threads)
    return environment


def _load(group: str, name: str) -> DictConfig:
    """One of our configurations.

    Raises:
        PgrobotError: the group has none of this name.
    """
    folder = resources.files("pgrobot.conf") / group
    file = folder / f"{name}.yaml"
    if not file.is_file():
        names = [entry.name.removesuffix(".yaml") for entry in folder.iterdir()]
        raise PgrobotError(f"there is no {group} '{name}': {nearest(name, names)}")
    config = OmegaConf.create(file.read_text(encoding="utf-8"))
    assert isinstance(config, DictConfig)
    return config


def _changed(config: DictConfig, changes: Mapping[str, Any], of: str) -> DictConfig:
    """The configuration with some values changed; defaults of other groups do not concern it."""
    own = OmegaConf.to_container(config, resolve=False)
    assert isinstance(own, dict)
    own.pop("defaults", None)
    for option in changes:
        if option not in own:
            raise PgrobotError(f"{of} has no option '{option}': {nearest(option, map(str, own))}")
    return OmegaConf.create({**own, **changes})


def _instantiate(config: DictConfig) -> Any:
    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    module, _, name = values.pop("_target_").rpartition(".")
    return getattr(import_module(module), name)(**{str(key): value for key, value in values.items()})
