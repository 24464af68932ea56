"""``pgrobot exact``: which checks there are, and running them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import resources

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from pgrobot.configure import CONFIG_MODULE
from pgrobot.errors import PgrobotError, nearest
from pgrobot.laboratory.check import Check, Outcome
from pgrobot.laboratory.report import print_check, print_header, print_verdict
from pgrobot.targets import construct

CONFIG = "exact.yaml"


def catalogue() -> DictConfig:
    """The laboratory's config: ``checks``, each built like any part of a run, and ``about``, a line on each."""
    text = resources.files(CONFIG_MODULE).joinpath(CONFIG).read_text(encoding="utf-8")
    cfg = OmegaConf.create(text)
    assert isinstance(cfg, DictConfig)
    OmegaConf.resolve(cfg)
    return cfg


def build_check(cfg: DictConfig, name: str) -> Check:
    """The check of this name.

    Raises:
        PgrobotError: there is none.
    """
    if name not in cfg.checks:
        known = [*map(str, cfg.checks), *map(str, cfg.groups)]
        raise PgrobotError(f"there is no check {name!r}: {nearest(name, known)}")
    built: Check = construct(cfg, f"checks.{name}")
    return built


def spelt_out(cfg: DictConfig, names: Sequence[str]) -> list[str]:
    """The checks of these names and groups; all of them where nothing is named."""
    groups = [[str(check) for check in cfg.groups.get(name, [name])] for name in names]
    return [check for group in groups for check in group] or list(map(str, cfg.checks))


def run_checks(names: Sequence[str], console: Console) -> bool:
    """Run checks and groups of them, all where none is named, and print what they find.

    Returns:
        Whether every outcome is within its tolerance.

    Raises:
        PgrobotError: there is no check of a name.
    """
    cfg = catalogue()
    checks = {name: build_check(cfg, name) for name in spelt_out(cfg, names)}
    torch.set_num_threads(1)
    print_header(console)
    outcomes: list[Outcome] = []
    begin = time.perf_counter()
    for name, check in checks.items():
        start = time.perf_counter()
        found = check.run()
        print_check(console, name, found, time.perf_counter() - start)
        outcomes += found
    print_verdict(console, outcomes, time.perf_counter() - begin)
    return all(outcome.ok for outcome in outcomes)


def print_catalogue(console: Console) -> None:
    """List the checks with a line on each."""
    cfg = catalogue()
    width = max(len(str(name)) for name in cfg.checks)
    for name, line in cfg.about.items():
        console.print(f"{name:<{width}}  {line}", highlight=False, soft_wrap=True)
    for name, group in cfg.groups.items():
        console.print(f"{name:<{width}}  all of {', '.join(group)}", highlight=False, soft_wrap=True)
