"""``demonstrations.pt``: what pgrobot writes of demonstrations.

::

    {"kind": "demonstrations", "format": 1, "sha256": "…", "provenance": {"run": …, "checkpoint": …, …},
     "obs": {"policy": Tensor}, "next_obs": {…}, "names": {"policy": ["qpos/rootz", …]},
     "action": Tensor, "actions": ["thigh_joint", …], "reward": Tensor, "cost": Tensor, "costs": ["speed"],
     "terminated": Tensor, "truncated": Tensor, "episode_start": Tensor}

The tensors are those of ``Demonstrations``. ``sha256`` is their hash, which whoever reads the file compares.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pgrobot.archive import intact, unpickled
from pgrobot.demonstrations.checking import check_demonstrations
from pgrobot.demonstrations.demonstrations import Demonstrations
from pgrobot.errors import PgrobotError
from pgrobot.files import reason, write_atomically

FILE = "demonstrations.pt"
KIND, FORMAT = "demonstrations", 1
COLUMNS = ("action", "reward", "cost", "terminated", "truncated", "episode_start")


def write_file(path: Path, demonstrations: Demonstrations) -> None:
    """Replace ``path`` atomically by the demonstrations.

    Raises:
        PgrobotError: they contradict themselves, or the file cannot be written; what was there before is untouched.
    """
    check_demonstrations(demonstrations)
    content = {
        "kind": KIND,
        "format": FORMAT,
        "sha256": demonstrations.sha256,
        "provenance": dict(demonstrations.provenance),
        "obs": {name: _own(value) for name, value in demonstrations.obs.items()},
        "next_obs": {name: _own(value) for name, value in demonstrations.next_obs.items()},
        "names": {name: list(names) for name, names in demonstrations.names.items()},
        "actions": list(demonstrations.actions),
        "costs": list(demonstrations.costs),
        **{name: _own(getattr(demonstrations, name)) for name in COLUMNS},
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())


def read_file(path: Path) -> Demonstrations:
    """Read what ``write_file`` wrote; nothing in the file is executed.

    Raises:
        PgrobotError: the file is unreadable, damaged, of another program or format, or contradicts itself.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PgrobotError(f"The demonstrations {path} cannot be read: {reason(error)}.") from error
    told = _plain(path, content)
    if not isinstance(told, dict) or told.get("kind") != KIND:
        raise PgrobotError(
            f"{path} holds no demonstrations but something else, a checkpoint perhaps: pgrobot record <run> makes some."
        )
    if told.get("format") != FORMAT:
        raise PgrobotError(
            f"{path} has format {told.get('format')}, and this pgrobot reads format {FORMAT} of demonstrations."
        )
    try:
        found = Demonstrations(
            source=str(path),
            obs=dict(told["obs"]),
            next_obs=dict(told["next_obs"]),
            names={name: tuple(names) for name, names in told["names"].items()},
            actions=tuple(told["actions"]),
            costs=tuple(told["costs"]),
            provenance=dict(told["provenance"]),
            **{name: told[name] for name in COLUMNS},
        )
        check_demonstrations(found)
        whole = found.sha256 == told["sha256"]
    except (KeyError, TypeError, AttributeError) as error:
        raise PgrobotError(
            f"{path} lacks a part of demonstrations: {' '.join(str(error).split())}."
        ) from error
    if not whole:
        raise PgrobotError(f"{path} was changed since it was written: its content has another hash.")
    return found


def _own(tensor: Tensor) -> Tensor:
    """A copy with storage of its own, for a view would take along all it views."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def _plain(path: Path, content: bytes) -> Any:
    """What the file holds, which need not be demonstrations."""
    if not intact(content):
        raise PgrobotError(f"{path} is not a file of demonstrations, or it is damaged or cut short.")
    return unpickled(path, content)
