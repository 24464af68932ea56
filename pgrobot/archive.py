"""PyTorch files of tensors, numbers and strings, read so that one from a stranger cannot run code of theirs."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from pgrobot.errors import PgrobotError


def intact(content: bytes) -> bool:
    """Whether this is an archive whose checksums all match: torch itself would load some flipped bits."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.testzip() is None
    except Exception:  # noqa: BLE001 - there is no list of what a damaged archive makes its parsers raise
        return False


def unpickled(path: Path, content: bytes) -> Any:
    """What the bytes of a file hold.

    Args:
        path: of the file, for messages.
        content: of it.

    Raises:
        PgrobotError: it holds something else than tensors, numbers and strings, or is no file of PyTorch's.
    """
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise PgrobotError(
            f"{path} was refused: it holds more than tensors, numbers and strings, and reading that could run code."
        ) from error
    except Exception as error:
        raise PgrobotError(f"{path} is not a PyTorch file, or it is damaged.") from error
