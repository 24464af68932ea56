"""From overrides to a run that may start: composed, checked, and given its directory; nothing is created yet."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from pgrobot.aliases import ALIASES, in_full
from pgrobot.assembly import CONFIGURED, Source
from pgrobot.configure import compose, validated
from pgrobot.configure.composition import resolved
from pgrobot.errors import PgrobotError
from pgrobot.overrides import RECIPES, clash, parse
from pgrobot.past import saved_config
from pgrobot.run.checking import checked
from pgrobot.run.memory import check_memory
from pgrobot.run.without_effect import check_effect
from pgrobot.run_directory import find_checkpoint

# What may differ from the run that is resumed, because the past does not depend on it.
CHANGEABLE = (
    "total_steps",
    "annealing_steps",
    "threads",
    "checkpoint",
    "evaluation",
    "tracker",
    "diagnostics",
    "modules",
    "resume_fresh",
    "report",
    "film",
    "resume",
)


@dataclass(frozen=True, slots=True)
class Request:
    """A run to start, or to take up again.

    Attributes:
        cfg: the job's config, checked.
        overrides: what the user typed, without what concerns Hydra alone.
        directory: where the run lies or will lie.
        resume: whether ``directory`` holds the run's past.
        anew: whether ``directory`` gives way to another name where it exists: it is named by the time.
        source: of its environments.
    """

    cfg: DictConfig
    overrides: tuple[str, ...]
    directory: Path
    resume: bool
    anew: bool
    source: Source


def prepare(overrides: Sequence[str]) -> Request:
    """Compose and check a run.

    Args:
        overrides: as typed; ``resume=<run>`` takes the config of that run instead of the default one.

    Raises:
        PgrobotError: one sentence about the first thing that is wrong.
    """
    resumes = any(override.key_or_group == "resume" for override in parse(overrides))
    # what else is typed belongs to the config of the run that is taken up again, which chose what the default did not
    cfg = compose(_concerning_the_command(overrides) if resumes else overrides)
    if resumes and not cfg.resume:
        raise PgrobotError("resume= names no run: give the directory of one, or leave it out to start anew")
    if cfg.resume:
        return _resumed(cfg, list(overrides))
    try:
        checked = validated(cfg)
    except PgrobotError as error:
        words = clash(overrides, _accepted)
        raise PgrobotError(f"{words}: {error}" if words else str(error)) from error
    check_effect(cfg, checked)
    check_memory(checked)
    anew = named_by_time(cfg.hydra.run)
    typed, directory = _concerning_the_job(overrides), Path(cfg.hydra.run.dir)
    return Request(checked, typed, directory, resume=False, anew=anew, source=CONFIGURED)


def named_by_time(node: DictConfig) -> bool:
    """Whether the ``dir`` of Hydra's node ``run`` or ``sweep`` contains the time, and so means a new directory."""
    raw: Any = OmegaConf.to_container(node, resolve=False)
    return "${now:" in str(raw["dir"])


def _accepted(overrides: Sequence[str]) -> bool:
    try:
        validated(compose(overrides))
    except PgrobotError:
        return False
    return True


def _resumed(cfg: DictConfig, overrides: list[str]) -> Request:
    run = Path(str(cfg.resume))
    find_checkpoint(run, "last")
    saved = saved_config(run)
    before_typed = deepcopy(saved)
    overrides = in_full(overrides, saved)
    typed = [key_of(override) for override in parse(overrides)]
    if "hydra.run.dir" in typed:
        raise PgrobotError(f"resume={run} goes on in that directory: leave out hydra.run.dir")
    before = in_full(saved_overrides(run), saved)
    changes = [key for key in typed if key != "resume" and not key.startswith("hydra")]
    if changes:
        kept = [
            line
            for override, line in zip(parse(before), before, strict=True)
            if not any(_chosen_by(key_of(override), key) for key in typed)
        ]
        wanted = resolved(compose([*kept, *overrides]))
        for key in changes:
            _check_past(place(key), saved, wanted, run)
        for key in CHANGEABLE:
            if any(below(change, key) for change in changes):
                saved[key] = wanted[key]
    # Modules to trust are named by whoever resumes: the directory may be somebody else's.
    for config in (saved, before_typed):
        config.modules = cfg.modules
        config.resume = ""
    cfg = checked(saved, run, before_typed)
    check_memory(cfg)
    return Request(cfg, tuple(before), run, resume=True, anew=False, source=CONFIGURED)


def key_of(override: Override) -> str:
    """What an override is of: a key, or a group, with where its option goes if that is another place."""
    place = f"@{override.package}" if override.package else ""
    return f"{override.key_or_group}{place}"


def _chosen_by(key: str, typed: str) -> bool:
    """Whether an override of ``typed`` takes the place of one of ``key``: the same, or an option of a group above."""
    return key == typed or key.startswith(f"{typed}/")


def place(key: str) -> str:
    """Where in the config the options of a group go: ``algorithm/rate@algorithm.policy_solver.rate`` to the latter."""
    _, at, package = key.rpartition("@")
    return ALIASES.get(package, package) if at else key.replace("/", ".")


def _check_past(key: str, saved: DictConfig, wanted: DictConfig, run: Path) -> None:
    compared = list(saved) if key in RECIPES else [key]  # a recipe writes into the whole config
    for name in map(str, compared):
        if any(below(name, changeable) for changeable in CHANGEABLE):
            continue
        old, new = (OmegaConf.select(node, name) for node in (saved, wanted))
        if old != new:
            told = (
                f"{name} was {old} in {run}"
                if not OmegaConf.is_config(old)
                else f"{name} was another in {run}"
            )
            raise PgrobotError(
                f"{told} and its past depends on it: only {', '.join(CHANGEABLE[:-1])} may change"
            )


def saved_overrides(run: Path) -> list[str]:
    """What was typed when a run was started; raises PgrobotError."""
    try:
        lines: Any = yaml.safe_load((run / "overrides.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PgrobotError(
            f"{run / 'overrides.yaml'} cannot be read: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise PgrobotError(f"{run / 'overrides.yaml'} is not a list of overrides")
    return lines


def _concerning_the_job(overrides: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for line in overrides if not line.lstrip("+~").startswith(("hydra.", "hydra/")))


def _concerning_the_command(overrides: Sequence[str]) -> list[str]:
    keys = [override.key_or_group for override in parse(overrides)]
    return [
        line
        for key, line in zip(keys, overrides, strict=True)
        if key in ("resume", "modules") or key.startswith(("hydra.", "hydra/"))
    ]


def below(key: str, parent: str) -> bool:
    """Whether a dotted key is another one or lies below it."""
    return key == parent or key.startswith(f"{parent}.")
