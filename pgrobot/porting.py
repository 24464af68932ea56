"""Porting a run's policy to another robot, or another version of its own: a directory that a new run may begin as."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pgrobot import checkpoint as files
from pgrobot.aliases import in_full
from pgrobot.assembly import build_environment, model_files
from pgrobot.blame import blaming
from pgrobot.concurrency import one_torch_thread
from pgrobot.configure import compose, validated
from pgrobot.configure.composition import resolved
from pgrobot.errors import FailureError, PgrobotError
from pgrobot.files import reason
from pgrobot.groups import critic_widths, selected
from pgrobot.overrides import parse
from pgrobot.run.request import key_of, place, saved_overrides
from pgrobot.run_directory import RunDirectory
from pgrobot.schemes import cast
from pgrobot.transfer import Ported, Source, opened, ported
from pgrobot.types import EnvironmentSpec, Widths

ROOTS = ("task", "variation", "wrapper", "constraint")  # what of a config says which robot it is
FOLDER = "ported"
MOST = 1e-4  # by which rounding may tell two policies apart, in policy units


@dataclass(frozen=True, slots=True)
class Port:
    """A policy that was ported.

    Attributes:
        path: its directory.
        name: of the environment that it is for.
        source: of the one that it was trained in.
        told: what matched.
    """

    path: Path
    name: str
    source: str
    told: Ported


def port_run(
    run: Path, words: Sequence[str], checkpoint: str, *, output: str = "", modules: Sequence[str] = ()
) -> Port:
    """Port a run's policy and critic to the environment that overrides name.

    Args:
        run: its directory.
        words: ``task=…`` and what else says which robot it is, as typed after ``pgrobot train``.
        checkpoint: of the run.
        output: the directory to write; by default ``<run>/ported/<task>``. An earlier port in it is replaced.
        modules: your own modules that the run's config or the words name.

    Raises:
        PgrobotError: the run or the words cannot be read, its policy is of a kind that names do not map, or nothing has
            the same name in both. Nothing is written.
        FailureError: what was made acts otherwise than what it was made of.
    """
    with blaming(modules), one_torch_thread():
        source = opened(run, checkpoint, modules)
        cfg, name = _config(source, words, modules)
        path = Path(output) if output else run / FOLDER / name
        _check_free(path)
        environment = build_environment(cfg, 1, 0, 1)
        spec = environment.spec
        environment.close()
        cfg = _with_groups(cfg, spec, source)
        _, learners = cast(cfg, spec, 1)
        told = ported(source, spec, learners)
        if not told.difference <= MOST:
            raise FailureError(
                f"what {run} was ported to acts otherwise than {source.path}: by {told.difference:.1e} in policy "
                f"units, more than {MOST:.0e}; nothing was written"
            )
        (acting,) = learners
        state = {
            "iteration": 0,
            "global_step": source.step,
            "learners": {acting: learners[acting].state_dict()},
            "acting": acting,
            "config": OmegaConf.to_yaml(cfg),
            "versions": {package: version(package) for package in ("pgrobot", "torch", "mujoco")},
        }
        _write(path, cfg, words, spec, state, _note(source, told))
        return Port(path, spec.name, source.spec.name, told)


def _config(source: Source, words: Sequence[str], modules: Sequence[str]) -> tuple[DictConfig, str]:
    """The config of the run for another robot, and what that is called."""
    typed = [key_of(override) for override in parse(words)]
    if not typed:
        raise PgrobotError(
            f"say which robot {source.run} is to be ported to: pgrobot port {source.run} task=<task>"
        )
    for key in typed:
        if place(key).split(".")[0] not in ROOTS:
            raise PgrobotError(
                f"{key} is none of what says which robot it is ({', '.join(ROOTS)}): a policy is ported as it is, and "
                "the rest is for pgrobot train initialise.run=…"
            )
    before = in_full(saved_overrides(source.run), source.cfg)
    keys = [key_of(override) for override in parse(before)]
    kept = [line for line, key in zip(before, keys, strict=True) if _stays(key, typed)]
    if "constraint" not in map(place, [*keys, *typed]):
        # a task may choose others by default, and it is the run's that are kept or, with ~constraint.<name>, left out
        kept.insert(0, f"constraint=[{','.join(source.cfg.constraint)}]")
    composed = compose([*kept, *words])
    wanted, cfg = resolved(composed), deepcopy(source.cfg)
    for root in {place(key).split(".")[0] for key in typed}:
        cfg[root] = wanted[root]
    cfg.modules = list(modules)
    return validated(cfg), str(composed.hydra.runtime.choices.task)


def _stays(key: str, typed: Sequence[str]) -> bool:
    """Whether an override of the run says which robot it is, of which another one has not been typed."""
    root = place(key).split(".")[0]
    return root in ROOTS and not any(
        key == each or key.startswith((f"{each}/", f"{each}.")) for each in typed
    )


def _with_groups(cfg: DictConfig, spec: EnvironmentSpec, source: Source) -> DictConfig:
    """The config with policy and critic reading what of their groups and entries this robot and its policy show."""
    shows = {name: width for each in source.learners.values() for name, width in each.policy.shows.items()}
    widths = {"policy": spec.widths, "critic": critic_widths(spec, shows)}
    cfg = deepcopy(cfg)
    for owner, known in widths.items():
        if "groups" in cfg[owner]:
            read = [name for name in cfg[owner].groups if _there(owner, name, known)]
            if not read:
                raise PgrobotError(
                    f"{spec.name} observes nothing of {owner}.groups, {', '.join(cfg[owner].groups)}"
                )
            cfg[owner].groups = read
    return cfg


def _there(owner: str, name: str, known: Widths) -> bool:
    try:
        selected(f"{owner}.groups", [name], known)
    except PgrobotError:
        return False
    return True


def _note(source: Source, told: Ported) -> Mapping[str, Any]:
    return {
        "ported": {
            "run": str(source.run.absolute()),
            "checkpoint": source.path.name,
            "sha256": hashlib.sha256(source.path.read_bytes()).hexdigest(),
            "step": source.step,
            **{matching.kind: asdict(matching) for matching in told.matchings},
            "notes": list(told.notes),
            "difference": told.difference,
        }
    }


def _check_free(path: Path) -> None:
    """Refuse to replace what is no port.

    Raises:
        PgrobotError: the directory holds something else.
    """
    if not path.exists():
        return
    try:
        ours = "ported" in json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        ours = False
    if not ours:
        raise PgrobotError(f"{path} holds something else than an earlier port: choose another --output")


def _write(
    path: Path,
    cfg: DictConfig,
    words: Sequence[str],
    spec: EnvironmentSpec,
    state: Mapping[str, Any],
    note: Mapping[str, Any],
) -> None:
    """Write a directory beside its place, and then put it there: all of it, or nothing."""
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    old = made.with_name(f"{made.name}.old")
    try:
        made.parent.mkdir(parents=True, exist_ok=True)
        with RunDirectory.create(
            made, OmegaConf.to_yaml(cfg), words, cfg.seed, sys.argv, model_files(cfg), spec, {}, note
        ) as directory:
            files.save(directory.checkpoint("best"), state)
        if path.exists():
            path.rename(old)
        made.rename(path)
    except OSError as error:
        raise PgrobotError(f"{path} cannot be written: {reason(error)}") from error
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        for rest in (made, old):
            shutil.rmtree(rest, ignore_errors=True)
