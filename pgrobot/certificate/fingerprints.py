"""What a certificate is about, as hashes, and the circumstances it was made in."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import Tensor

from pgrobot import checkpoint
from pgrobot.errors import PgrobotError
from pgrobot.files import reason
from pgrobot.provenance import source_commit
from pgrobot.run_directory import MODEL
from pgrobot.simulation.model_files import digest
from pgrobot.types import State

PACKAGES = ("pgrobot", "torch", "mujoco", "gymnasium", "numpy")
POLICY = "checkpoints/best.pt"
CONFIG = "config.yaml"


def fingerprints(run: Path) -> dict[str, Any]:
    """The SHA-256 of a run's best policy, of its config's file and of every file of its model.

    Raises:
        PgrobotError: a file cannot be read, or the checkpoint is none.
    """
    state = checkpoint.load(run / POLICY)
    model = sorted(path for path in (run / MODEL).rglob("*") if path.is_file())
    return {
        "policy": {"checkpoint": POLICY, "step": state["global_step"], "sha256": policy_hash(state)},
        "config": {"file": CONFIG, "sha256": _of_file(run / CONFIG)},
        "model": {"sha256": {path.relative_to(run / MODEL).as_posix(): _of_file(path) for path in model}},
    }


def policy_hash(state: State) -> str:
    """SHA-256 of the policies in a checkpoint: of what acts, whatever else the file holds and however it is packed.

    Every value counts with its place: ``<learner>/<name>``, in the order of these, then of a tensor type, shape and
    bytes (little-endian, row by row), and of anything else its JSON.
    """
    hashed = hashlib.sha256()
    _hash(hashed, {name: learner["policy"] for name, learner in state["learners"].items()}, "")
    return hashed.hexdigest()


def _hash(hashed: Any, value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        for key in sorted(value, key=str):
            _hash(hashed, value[key], f"{where}/{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _hash(hashed, item, f"{where}/{index}")
    elif isinstance(value, Tensor):
        array = value.detach().cpu().contiguous().numpy()
        hashed.update(f"{where} {array.dtype} {list(array.shape)}\n".encode())
        hashed.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    else:
        hashed.update(f"{where} {json.dumps(value)}\n".encode())


def sealed(content: Mapping[str, Any]) -> str:
    """SHA-256 of a certificate's content but the seal itself: of its JSON with sorted keys and without spaces."""
    rest = {key: value for key, value in content.items() if key != "sha256"}
    return digest(json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())


def circumstances(threads: int) -> dict[str, Any]:
    """What the last bits of an episode may depend on: versions and processor, and how many threads were asked for."""
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
            "pgrobot_commit": source_commit(),
        },
        "cpu": processor(),
        "platform": platform.platform(),
        "threads": threads,
    }


def differences(one: Any, other: Any) -> list[str]:
    """In which versions, or in which processor, two circumstances differ: ``torch 2.9 there and 2.10 here``."""
    mine, theirs = map(_compared, (one, other))
    return [
        f"{name} {mine.get(name, 'unknown')} there and {theirs.get(name, 'unknown')} here"
        for name in {**mine, **theirs}
        if mine.get(name) != theirs.get(name)
    ]


def _compared(told: Any) -> dict[str, Any]:
    told = told if isinstance(told, dict) else {}
    versions = told.get("versions")
    return {**(versions if isinstance(versions, dict) else {}), "cpu": told.get("cpu", "unknown")}


def processor() -> str:
    """What the processor is called."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.processor() or platform.machine()


def _of_file(path: Path) -> str:
    try:
        return digest(path.read_bytes())
    except OSError as error:
        raise PgrobotError(f"{path} cannot be read: {reason(error)}") from error
