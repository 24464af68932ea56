"""Checking the config of a run that exists."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from pgrobot.configure import validated
from pgrobot.errors import PgrobotError
from pgrobot.past import of_another


def checked(cfg: DictConfig, run: Path, saved: DictConfig) -> DictConfig:
    """``validated`` for the config of a run that exists.

    Args:
        cfg: the config.
        run: its run.
        saved: the same without what was typed besides.

    Raises:
        PgrobotError: what is wrong, and which version made the run if it was not this one, and not what was typed.
    """
    try:
        return validated(cfg)
    except PgrobotError as error:
        told = of_another(run) if _refused(saved) else ""
        raise PgrobotError(f"{error}{told}") from error


def _refused(cfg: DictConfig) -> bool:
    try:
        validated(cfg)
    except PgrobotError:
        return True
    return False
