"""Composing a config through Hydra, with every mistake answered by one sentence before anything is created.

The primary config is ``pkg://pgrobot.conf/train``: it is found from any directory, in a checkout and in a wheel. More
config directories are searched after it: ``--config-dir`` and the variable ``PGROBOT_CONFIG_PATH`` (separated by
``os.pathsep``), so that a project can add tasks, constraints and experiments of its own without touching this package.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import hydra
import omegaconf
from hydra import initialize_config_module
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from pgrobot.advice import CONFIG_MODULE
from pgrobot.aliases import check_once, in_full, key_of, settle, spelt_out, with_class
from pgrobot.configure.agreement import objective_has_ratio
from pgrobot.configure.diagnosis import COMPOSITION_ERRORS, CONFIG_NAME, diagnose, group_options, load
from pgrobot.errors import PgrobotError
from pgrobot.likeness import GROUP, liken
from pgrobot.overrides import parse, quote, replacing
from pgrobot.replay import shared_bound
from pgrobot.targets import leaves

CONFIG_PATH_VARIABLE = "PGROBOT_CONFIG_PATH"
# Hydra 1.4 deprecates the argument that Hydra 1.3 warns about when it is missing.
VERSION_BASE: dict[str, str] = {"version_base": "1.3"} if hydra.__version__.startswith("1.3") else {}


def register_resolver(name: str, function: Callable[..., Any]) -> None:
    """Make ``${name:…}`` a value in configs; a second call changes nothing."""
    # The two names changed places: 2.4 deprecates the one of 2.3, where the other is an older function.
    old = omegaconf.__version__.startswith("2.3")
    register: Any = getattr(OmegaConf, "register_new_resolver" if old else "register_resolver")
    register(name, function, replace=True)


def _rows(*sizes: Any) -> int:
    """Rows of an update, a product. What is no whole number is refused by the rule of its own key."""
    return max(1, math.prod(sizes)) if all(isinstance(size, int) for size in sizes) else 1


register_resolver("pgrobot.rows", _rows)
register_resolver("pgrobot.has_ratio", objective_has_ratio)
register_resolver("pgrobot.shared_bound", shared_bound)


@contextmanager
def session() -> Iterator[Any]:
    """Open Hydra on this package's configs, and leave an application that runs in Hydra itself as it was."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module(CONFIG_MODULE, job_name="pgrobot", **VERSION_BASE):
            yield GlobalHydra.instance().hydra
    finally:
        GlobalHydra.instance().hydra = outer


def search_path(directories: Sequence[str]) -> list[str]:
    """Name the extra config directories as an override for Hydra: one, or none.

    Args:
        directories: what ``--config-dir`` was given; those of ``PGROBOT_CONFIG_PATH`` follow them.

    Raises:
        PgrobotError: one of them is not a directory.
    """
    listed = [*directories, *filter(None, os.environ.get(CONFIG_PATH_VARIABLE, "").split(os.pathsep))]
    for directory in listed:
        if not Path(directory).is_dir():
            raise PgrobotError(f"the config directory {directory!r} does not exist")
    quoted = ",".join(quote(f"file://{Path(directory).resolve()}") for directory in listed)
    return [f"hydra.searchpath=[{quoted}]"] if listed else []


def compose(overrides: Sequence[str]) -> DictConfig:
    """Compose one job, the ``hydra`` node included.

    Args:
        overrides: as typed, for example ``["task=hopper", "constraint.speed.budget=0.01"]``.

    Raises:
        PgrobotError: an override cannot be read, or names a group, option or key that does not exist.
    """
    parse(overrides)
    overrides = with_class(overrides)
    with session() as opened:
        try:
            return _loaded(opened.config_loader, list(overrides))
        except PgrobotError:
            raise
        except COMPOSITION_ERRORS as error:
            raise PgrobotError(diagnose(opened.config_loader, overrides, error)) from error


def _loaded(loader: ConfigLoader, overrides: list[str]) -> DictConfig:
    """Compose with aliases spelt out; as typed where that is not what they are."""
    cfg, full = None, [spelt_out(line) for line in overrides]
    if full != overrides:
        with suppress(*COMPOSITION_ERRORS):
            cfg = load(loader, full)
    if cfg is None or in_full(overrides, cfg) != full:
        cfg = _loaded_as_typed(loader, overrides)
    else:
        check_once(overrides)
    with open_dict(cfg):
        settle(cfg, [key_of(line) for line in full])
        _liken(loader, cfg, full)
    return cfg


def _liken(loader: ConfigLoader, cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Complete the constraints that are like another one, or like an option that was not chosen."""
    paths = [line for line in overrides if line.startswith("hydra.searchpath=")]

    def options() -> list[str]:
        return loader.get_group_options(GROUP, ObjectType.CONFIG, CONFIG_NAME, paths)

    def chosen(name: str) -> Any:
        return load(loader, [f"{GROUP}=[{name}]", *paths])[GROUP].get(name, {})

    liken(cfg.get(GROUP), options, chosen)


def _loaded_as_typed(loader: ConfigLoader, overrides: list[str]) -> DictConfig:
    """A mapping is merged into what is there; one that names another part, which has other keys, takes its place."""
    try:
        return load(loader, overrides)
    except COMPOSITION_ERRORS:
        lines = replacing(overrides)
        if lines != overrides:
            with suppress(*COMPOSITION_ERRORS):
                return load(loader, lines)
        raise


def options(overrides: Sequence[str]) -> dict[str, list[str]]:
    """List every config group of the search path with the options it offers, Hydra's own left out."""
    with session() as opened:
        return group_options(opened.config_loader, overrides)


def resolved(cfg: DictConfig) -> DictConfig:
    """Return the job's part of ``cfg`` (all but ``hydra``) with every interpolation replaced by its value.

    Raises:
        PgrobotError: a value must be given, or is taken from something that the chosen parts do not have.
    """
    job = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    for path, raw in leaves(OmegaConf.to_container(job, resolve=False), ""):
        if raw == "???":
            raise PgrobotError(f"{path} must be given: add {path}=<value>")
        try:
            OmegaConf.select(job, path)
        except OmegaConfBaseException as error:
            raise PgrobotError(
                f"{path} is {raw}, which the chosen parts do not have: {_remedy(path)}"
            ) from error
    OmegaConf.resolve(job)
    return job


def _remedy(path: str) -> str:
    parts = path.split(".")
    if parts[0] == "constraint":
        return f"leave the constraint out with ~constraint.{parts[1]}, or give {path}=<value>"
    return f"give {path}=<value>"
