"""A run directory tells everything about a run; other programs rely on its layout.

::

    config.yaml     the resolved configuration      overrides.yaml  what was chosen: typed, or by the run itself
    spec.json       what a policy needs to know of its environment: names, shapes, bounds, units
    model/          the robot's model, of which every file's hash stands in the manifest
    manifest.json   versions, git commit, seed, host, start time, command, …
    metrics.jsonl   one object per iteration        checkpoints/    last.pt, best.pt, step_<n>.pt
    figures/        <name>_<step>.png and .svg      tables/         <name>_<step>.csv
    videos/         <name>_<step>.mp4; each of these three folders is made when there is something in it
    faults/         the last states before a failed update, for replay; made when there is one
    health.json     what is wrong with the run; its form is told in pgrobot/health/record.py
    result.json     written last: a run without it did not finish
    certificate.json  what `pgrobot certify` found; made when it is asked
    demonstrations.pt  what `pgrobot record` kept; made when it is asked
    report.html     the run on one page; figures/report/ has its drawings
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import shlex
import socket
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self

import yaml

from pgrobot.errors import PgrobotError, nearest
from pgrobot.files import reason, write_atomically, write_json
from pgrobot.provenance import git_commit, named, source_commit
from pgrobot.spec_file import write_spec
from pgrobot.tracking.gallery import Gallery
from pgrobot.tracking.metrics_file import MetricsFile
from pgrobot.types import EnvironmentSpec

if TYPE_CHECKING:  # it imports MuJoCo, which whoever reads a run need not have
    from pgrobot.simulation import ModelFiles

PACKAGES = ("pgrobot", "mujoco", "torch", "gymnasium", "numpy", "dm-control", "hydra-core", "wandb")
MODEL = "model"  # the folder of the model's files
REPORT = "report.html"
PARTS = ("config.yaml", "overrides.yaml", "spec.json", "manifest.json", "metrics.jsonl", "checkpoints")


class RunDirectory:
    """A run directory in use by this run and by no other, until `close` or the end of the process.

    Made by `create` or `open`. ``metrics`` is its metrics file, ``gallery`` keeps its pictures.
    """

    def __init__(self, path: Path, metrics: MetricsFile) -> None:
        self.path = path
        self.metrics = metrics
        self.gallery = Gallery(path)

    @classmethod
    def create(
        cls,
        path: Path,
        config: str,
        overrides: Sequence[str],
        seed: int,
        command: Sequence[str],
        model: ModelFiles,
        spec: EnvironmentSpec,
        source: Mapping[str, Any],
        others: Mapping[str, Any] = MappingProxyType({}),
    ) -> RunDirectory:
        """Start a new run with a copy of its model and the spec of its environment.

        ``source`` is noted in the manifest, where the environments do not come from the config, and so are ``others``.
        Files of others in ``path`` (Hydra's, say) stay as they are.

        Raises:
            PgrobotError: ``path`` is in use, holds a run, or cannot be written. Nothing half written stays behind.
        """
        _check_free(path)
        _make(path)
        metrics = MetricsFile(path / "metrics.jsonl")
        if (path / "config.yaml").exists():  # made by another since, before the lock was ours
            metrics.close()
            raise PgrobotError(_taken(path))
        try:
            _make(path / "checkpoints")
            write_atomically(path / "overrides.yaml", yaml.safe_dump(list(overrides), width=1000).encode())
            for name, content in model.content.items():
                _make((path / MODEL / name).parent)
                write_atomically(path / MODEL / name, content)
            write_spec(path, spec)
            notes = {"model": model.note, **_from(source), **others}
            write_json(path / "manifest.json", {**manifest(seed, command), **notes})
            write_atomically(path / "config.yaml", config.encode())
        except BaseException:
            metrics.close()
            _remove(path, model.content)
            raise
        return cls(path, metrics)

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Take up an existing run again; nothing is written until ``resume``.

        Raises:
            PgrobotError: There is no run at ``path``, or it is in use, or cannot be written.
        """
        check_run(path)
        metrics = MetricsFile(path / "metrics.jsonl")
        try:
            _story(path)
        except PgrobotError:
            metrics.close()
            raise
        return cls(path, metrics)

    def resume(self, command: Sequence[str], source: Mapping[str, Any]) -> None:
        """Note in the manifest when, where and with which versions the run goes on.

        Raises:
            PgrobotError: it cannot be written.
        """
        story = _story(self.path)
        story["resumed"].append({**_circumstances(command), **_from(source)})
        write_json(self.path / "manifest.json", story)

    @property
    def config(self) -> str:
        """The resolved configuration, as YAML."""
        return (self.path / "config.yaml").read_text()

    @property
    def id(self) -> str:
        """A word for this run that no other run has; the same after a resume."""
        return str(json.loads((self.path / "manifest.json").read_text())["id"])

    @property
    def finished(self) -> bool:
        """Whether the run has its result."""
        return (self.path / "result.json").exists()

    def checkpoint(self, name: str) -> Path:
        """Where the checkpoint ``last``, ``best`` or ``step_<n>`` lies."""
        return self.path / "checkpoints" / f"{name}.pt"

    def fault(self, name: str) -> Path:
        """A place for a dump of what went wrong."""
        _make(self.path / "faults")
        return self.path / "faults" / name

    def rewind(self, step: int) -> None:
        """Go back to ``step`` environment steps: later metrics, pictures, result and report are forgotten."""
        self.metrics.rewind(step)
        self.gallery.rewind(step)
        for told in ("result.json", REPORT):
            (self.path / told).unlink(missing_ok=True)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result, atomically and last: with it, the run has finished."""
        write_json(self.path / "result.json", dict(result))

    def close(self) -> None:
        """Let others use the directory."""
        self.metrics.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def find_checkpoint(run: Path, name: str) -> Path:
    """The checkpoint ``name`` of a run directory, for those who only read.

    Raises:
        PgrobotError: There is no run at ``run``, or it has no such checkpoint; the sentence names those it has.
    """
    check_run(run)
    path = run / "checkpoints" / f"{name}.pt"
    if not path.exists():
        there = [p.stem for p in (run / "checkpoints").glob("*.pt")]
        if name == "best" and "last" in there and not (run / "result.json").exists():
            raise PgrobotError(
                f"The run {run} has no checkpoint 'best', for it has had no evaluation yet: 'last' is its last "
                f"policy; if it was stopped, go on by pgrobot train resume={shlex.quote(str(run))}"
            )
        if name == "last" and there == ["best"]:
            raise PgrobotError(
                f"The run {run} has no checkpoint 'last', for it was not trained, as what pgrobot port writes: 'best' "
                f"is its policy; begin a training from it by pgrobot train initialise.run={shlex.quote(str(run))}"
            )
        raise PgrobotError(f"The run {run} has no checkpoint {name!r}: {nearest(name, there)}")
    return path


def _story(path: Path) -> dict[str, Any]:
    """What the manifest of a run tells.

    Raises:
        PgrobotError: it is none.
    """
    try:
        story: dict[str, Any] = json.loads((path / "manifest.json").read_text())
        story["resumed"] = list(story["resumed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PgrobotError(f"{path / 'manifest.json'} is missing or is not a manifest of pgrobot.") from error
    return story


def manifest(seed: int, command: Sequence[str]) -> dict[str, Any]:
    """What a reader must know to run the same again, and to judge whether two runs may be compared."""
    return {"id": secrets.token_hex(4), "seed": seed, **_circumstances(command), "resumed": []}


def environment_note(run: Path) -> Mapping[str, Any]:
    """What the manifest of a run says of where its environments came from; empty where the config says it."""
    try:
        return dict(json.loads((run / "manifest.json").read_text())["environment"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _from(source: Mapping[str, Any]) -> dict[str, Any]:
    return {"environment": dict(source)} if source else {}


def _circumstances(command: Sequence[str]) -> dict[str, Any]:
    return {
        "start_time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": list(command),
        "working_directory": str(Path.cwd()),
        "git_commit": git_commit(Path.cwd()),
        "pgrobot_commit": source_commit(),
        "host": socket.gethostname(),
        "cpu_count": os.cpu_count(),
        "platform": platform.platform(),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def made_with(run: Path) -> dict[str, str]:
    """The hashes of a run's model by file; empty where the manifest has none."""
    try:
        return dict(json.loads((run / "manifest.json").read_text())["model"]["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def made_by(run: Path) -> str:
    """The pgrobot that last wrote in a run directory, ``pgrobot 0.1.0 at 7662861``; empty where nothing tells."""
    try:
        story = json.loads((run / "manifest.json").read_text())
        last = [story, *story["resumed"]][-1]
        commit = last["pgrobot_commit"] if "pgrobot_commit" in last else last["git_commit"]
        return named(last["versions"]["pgrobot"], commit)
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def check_run(path: Path) -> None:
    """Refuse what is no run directory: PgrobotError, with the nearest one beside it."""
    if not path.is_dir():
        runs = [str(p.parent) for p in path.parent.glob("*/config.yaml")] if path.parent.is_dir() else []
        hint = f": {nearest(str(path), runs)}" if runs else ""
        raise PgrobotError(f"There is no run directory {path}{hint}")
    if not (path / "config.yaml").is_file() or not (path / "metrics.jsonl").is_file():
        raise PgrobotError(f"{path} is not a run directory: it lacks config.yaml or metrics.jsonl.")


def _check_free(path: Path) -> None:
    if (path / "config.yaml").exists():
        if (path / "metrics.jsonl").exists():
            MetricsFile(path / "metrics.jsonl").close()  # says so if it is in use
        raise PgrobotError(_taken(path))


def _taken(path: Path) -> str:
    if (path / "result.json").exists():
        return f"{path} already holds a finished run: choose another directory."
    return f"{path} already holds a run: go on with it by resume={path}, or choose another directory."


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PgrobotError(f"The directory {path} cannot be made: {reason(error)}.") from error


def _remove(path: Path, model: Iterable[str]) -> None:
    """Take back what `create` wrote; the directory stays if it holds files of others."""
    for part in (*(path / MODEL / name for name in model), *(path / name for name in PARTS)):
        if part.is_dir():
            part.rmdir()
        else:
            part.unlink(missing_ok=True)
    folders = {
        folder for name in model for folder in (path / MODEL / name).parents if folder.is_relative_to(path)
    }
    for folder in sorted(folders - {path}, key=lambda folder: len(folder.parts), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    if not any(path.iterdir()):
        path.rmdir()
