"""What a run shows besides numbers: images, tables and videos, as values that know nothing of where they go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import get_args

from pgrobot.errors import PgrobotError


@dataclass(frozen=True, slots=True)
class Image:
    """One drawing in two formats; `pgrobot.figures` draws them."""

    png: bytes  # for screens
    svg: bytes  # for pages and print
    caption: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns. A column holds texts or numbers, NaN where one is not known."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]


@dataclass(frozen=True, slots=True)
class Video:
    """An mp4 file, wherever it lies."""

    path: Path
    caption: str


Picture = Image | Table | Video


def check_picture(name: str, picture: object) -> None:
    """Refuse what cannot be shown.

    Raises:
        PgrobotError: it is no picture, or its name cannot be that of a file below the run directory.
    """
    if not isinstance(picture, get_args(Picture)):
        raise PgrobotError(
            f"The picture {name!r} is a {type(picture).__name__}, and no Image, Table or Video."
        )
    path = PurePosixPath(name)
    if str(path) != name or path.is_absolute() or {"..", ".", ""} & {name, *path.parts} or "\0" in name:
        raise PgrobotError(
            f"A picture cannot be named {name!r}: a file below the run directory has that name."
        )
