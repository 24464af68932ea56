"""The pictures of a run as files, the truth about them: every tracker that shows one shows a copy."""

from __future__ import annotations

import csv
import io
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pgrobot.errors import PgrobotError
from pgrobot.files import reason, why_not_written, write_atomically
from pgrobot.pictures import Image, Picture, Table, Video
from pgrobot.types import Metrics

log = logging.getLogger(__name__)

FOLDERS: dict[type[Picture], str] = {Image: "figures", Table: "tables", Video: "videos"}


@dataclass(frozen=True, slots=True)
class Kept:
    """One file of a picture."""

    name: str  # under which it was shown
    step: int  # in environment steps
    path: Path


class Gallery:
    """Keeps what is shown in a run directory, which is that of a tracker without metrics.

    ::

        figures/<name>_<step>.png, .svg      tables/<name>_<step>.csv      videos/<name>_<step>.mp4

    A name with slashes makes folders. What is shown again under the same name and step replaces what was there. A
    picture that finds no room costs that picture, and one line says so.
    """

    def __init__(self, run: Path) -> None:
        self._run = run

    def write(self, step: int, metrics: Metrics) -> None:
        """Metrics are kept elsewhere."""

    def show(self, step: int, name: str, picture: Picture) -> None:
        """Keep one picture."""
        try:
            keep(self._run, step, name, picture)
        except PgrobotError as error:
            log.warning("%s The run goes on, without its picture %r.", error, name)

    def rewind(self, step: int) -> None:
        """Forget what was shown after ``step`` environment steps: the run goes on from there."""
        for kind in get_args(Picture):
            for found in kept(self._run, kind):
                if found.step > step:
                    found.path.unlink()

    def close(self) -> None:
        """Every picture is on the disk already."""


def kept(run: Path, kind: type[Picture]) -> list[Kept]:
    """The files of a run's pictures of one kind, by name and then by step. An image has two: ``.png`` and ``.svg``."""
    folder = run / FOLDERS[kind]
    found = []
    for path in folder.rglob("*_*.*"):
        name, _, step = path.relative_to(folder).with_suffix("").as_posix().rpartition("_")
        if step.isdecimal() and path.suffix != ".tmp":
            found.append(Kept(name, int(step), path))
    return sorted(found, key=lambda file: (file.name, file.step, file.path.suffix))


def read_table(path: Path) -> Table:
    """Read a table that a run keeps.

    Raises:
        PgrobotError: it cannot be read, or is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        columns, *rows = csv.reader(io.StringIO(text), quoting=csv.QUOTE_NONNUMERIC, strict=True)
    except (OSError, ValueError, csv.Error) as error:
        raise PgrobotError(f"{path} is not a table of a run: {error}") from error
    if any(len(row) != len(columns) for row in rows):
        raise PgrobotError(f"{path} is not a table of a run: its rows are not all {len(columns)} cells long")
    return Table(tuple(columns), tuple(map(tuple, rows)))


def keep(run: Path, step: int, name: str, picture: Picture) -> None:
    """Write the files of one picture into a run directory.

    Raises:
        PgrobotError: they cannot be written.
    """
    folder, stem = run / FOLDERS[type(picture)], f"{name}_{step}"
    try:
        (folder / stem).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PgrobotError(why_not_written(error, folder / stem, 0)) from error
    match picture:
        case Image(png, svg):
            write_atomically(folder / f"{stem}.png", png)
            write_atomically(folder / f"{stem}.svg", svg)
        case Table():
            write_atomically(folder / f"{stem}.csv", _csv(picture))
        case Video(path):
            _copy(path, folder / f"{stem}.mp4")


def _csv(table: Table) -> bytes:
    """Texts in quotation marks and numbers without, so that a joint named 1 stays a text."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return text.getvalue().encode()


def _copy(source: Path, target: Path) -> None:
    if source.resolve() == target.resolve():
        return
    temporary = target.with_name(target.name + ".tmp")
    try:
        try:
            shutil.copyfile(source, temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if not source.is_file():
            raise PgrobotError(f"The video {source} cannot be read: {reason(error)}.") from error
        raise PgrobotError(why_not_written(error, target, source.stat().st_size)) from error
