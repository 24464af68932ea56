"""Naming the jobs of a sweep: a directory that says what was chosen."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pgrobot.configure.composition import register_resolver
from pgrobot.overrides import parse

_VARYING = ".varying"  # in the directory of a sweep
_LONGEST = 160  # file systems allow 255 bytes


def job_name(overrides: Sequence[str]) -> str:
    """Name a job by its overrides, e.g. ``task=hopper__constraint.speed.budget=0.01__seed=0``.

    The name is the same whenever the same command is given, so that a sweep can be repeated in its directory and only
    does what is missing; and it needs no quotes in a shell.
    """
    words = (re.sub(r"[^\w.=+-]", "", override.replace(",", "+").replace("~", "-")) for override in overrides)
    name = "__".join(words)
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def note_varying(directory: Path, overrides: Sequence[str]) -> None:
    """Keep in a sweep's directory which keys its jobs differ in, for `short_name`."""
    varying = [override.get_key_element() for override in parse(overrides) if override.is_sweep_override()]
    with suppress(OSError):  # names are then longer
        (directory / _VARYING).write_text("\n".join(varying), encoding="utf-8")


def short_name(overrides: Sequence[str], directory: Path) -> str:
    """Name a job by the overrides that vary in its sweep; empty where none does, or nobody noted which do."""
    try:
        varying = set((directory / _VARYING).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeError):
        return ""
    return job_name(
        [override for override in overrides if override.partition("=")[0].lstrip("+~") in varying]
    )


def register_resolvers() -> None:
    """Teach OmegaConf ``${pgrobot.job_name:…}``, which ``hydra.sweep.subdir`` is made with."""
    register_resolver("pgrobot.job_name", lambda overrides: job_name(list(overrides)))
