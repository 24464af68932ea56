"""A run goes on with its own copy of its model, whatever became of the file that it was made from."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pgrobot.errors import PgrobotError
from pgrobot.files import reason
from pgrobot.run_directory import MODEL
from pgrobot.simulation.model_files import digest

_logger = logging.getLogger(__name__)


def with_own_model(cfg: DictConfig, run: Path) -> DictConfig:
    """The config of a run with its task built from the copy in the run directory.

    An original that has changed since is told, and so is a model of the user's of which an older version kept no copy.

    Raises:
        PgrobotError: a file of the copy is missing, or is not the one that the manifest describes.
    """
    note = _note(run)
    if not note:
        typed = cfg.task.get("xml_file", "default")
        if typed != "default":
            _logger.warning(
                "%s keeps no copy of its model, so it goes on with %s as that is today.", run, typed
            )
        return cfg
    folder = (run / MODEL).resolve()
    for name, digested in note["sha256"].items():
        _check(folder / name, digested, run)
    _compare(Path(note["origin"]), {**note["sha256"], **note.get("rewritten", {})}, run)
    own = OmegaConf.merge(cfg)
    OmegaConf.update(own, f"task.{note['option']}", str(folder / note["file"]), force_add=True)
    assert isinstance(own, DictConfig)
    return own


def _note(run: Path) -> Mapping[str, Any]:
    """What the manifest says of the model; empty for a run without one, or made by a version that kept none."""
    try:
        note = json.loads((run / "manifest.json").read_text(encoding="utf-8")).get("model", {})
        return note if not note or {"option", "file", "origin", "sha256"} <= set(note) else _refuse(run)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        if isinstance(error, PgrobotError):
            raise
        return _refuse(run)


def _refuse(run: Path) -> Mapping[str, Any]:
    raise PgrobotError(f"{run / 'manifest.json'} is missing or is not a manifest of pgrobot.")


def _check(file: Path, digested: str, run: Path) -> None:
    try:
        found = digest(file.read_bytes())
    except OSError as error:
        raise PgrobotError(
            f"{file}, a part of the model that {run} was made with, cannot be read: {reason(error)}"
        ) from error
    if found != digested:
        raise PgrobotError(
            f"{file} is not the model that {run} was made with: put the file back as it was, or train anew with "
            "another model"
        )


def _compare(origin: Path, digests: Mapping[str, str], run: Path) -> None:
    """Say which originals are others by now. Those that are gone, or on another machine, tell nothing."""
    changed = [origin / name for name, digested in digests.items() if _changed(origin / name, digested)]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        _logger.warning(
            "%s%s changed since %s was made, which goes on with its own copy of the model.",
            changed[0],
            more,
            run,
        )


def _changed(file: Path, digested: str) -> bool:
    try:
        return digest(file.read_bytes()) != digested
    except OSError:
        return False
