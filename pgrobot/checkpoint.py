"""Checkpoints: everything a run needs to go on, as plain tensors, numbers and strings in one PyTorch file.

A checkpoint is replaced atomically, so that a crash, a kill or a full disk leaves the one before it; and it is read
with ``weights_only=True``, so that opening a file from a stranger cannot run the stranger's code.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pgrobot.archive import intact, unpickled
from pgrobot.errors import PgrobotError
from pgrobot.files import reason, write_atomically
from pgrobot.types import State

FORMAT = 1


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Replace ``path`` atomically by ``state``, made plain, with the format version under ``"format"``.

    Tensors are detached, copied to the CPU and to storage of their own, for a view would take along all it views.

    Raises:
        PgrobotError: The file cannot be written; when the disk is full the sentence says how much is needed. The
            checkpoint that was there before is untouched.
        TypeError: The state holds something that would not load again, named by its path in the state.
    """
    buffer = io.BytesIO()
    torch.save({**plain(state), "format": FORMAT}, buffer)
    write_atomically(path, buffer.getvalue())


def load(path: Path) -> State:
    """Read a checkpoint onto the CPU. Nothing in the file is executed.

    Raises:
        PgrobotError: The file is missing, unreadable, damaged, of another program, of another format, or holds
            anything else than tensors, numbers, strings, lists and dicts.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise PgrobotError(f"There is no checkpoint {path}{_beside(path)}.") from error
    except OSError as error:
        raise PgrobotError(f"The checkpoint {path} cannot be read: {reason(error)}.") from error
    if not intact(content):
        raise PgrobotError(f"{path} is not a checkpoint, or it is damaged or cut short.")
    return _checked(path, unpickled(path, content))


def plain(value: Any, where: str = "state") -> Any:
    """Copy a nested state into builtin containers, numbers, strings and CPU tensors with storage of their own.

    Raises:
        TypeError: Something of another type, named by its path ``where``.
    """
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True).contiguous()
    if isinstance(value, Mapping):
        return {_key(key, where): plain(item, f"{where}/{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}/{i}") for i, item in enumerate(value)]
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(
        f"{where} is a {type(value).__module__}.{type(value).__qualname__}, which a checkpoint cannot hold"
    )


def _key(key: Any, where: str) -> str | int:
    if type(key) not in (str, int):
        raise TypeError(f"{where} has the key {key!r}; keys are strings or integers")
    return key


def _checked(path: Path, state: Any) -> State:
    if not isinstance(state, dict) or "format" not in state:
        raise PgrobotError(f"{path} is a PyTorch file of another program, not a checkpoint of pgrobot.")
    if state["format"] != FORMAT:
        raise PgrobotError(
            f"The checkpoint {path} has format {state['format']} and this pgrobot reads format {FORMAT}: "
            "use the pgrobot version that wrote it (see manifest.json)."
        )
    return state


def _beside(path: Path) -> str:
    """What the folder of a missing checkpoint has to offer, as the end of a sentence."""
    there = sorted(p.name for p in path.parent.glob("*.pt")) if path.parent.is_dir() else []
    return f"; its folder holds {', '.join(there)}" if there else ""
