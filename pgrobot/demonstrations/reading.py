"""Where demonstrations are found."""

from __future__ import annotations

from pathlib import Path

from pgrobot.demonstrations.arrays import read_arrays
from pgrobot.demonstrations.demonstrations import Demonstrations
from pgrobot.demonstrations.file import FILE, read_file
from pgrobot.demonstrations.minari import read_minari
from pgrobot.errors import PgrobotError, nearest, shown
from pgrobot.ranges import Range

MINARI = "minari:"
HOW = "pgrobot record <run> --episodes 20 makes <run>/demonstrations.pt of a run's policy"

named = Range(
    lambda value: isinstance(value, str) and value != "",
    str,
    lambda value: f"has to name demonstrations and is {shown(value)}: {HOW}, and <run> names it",
)


def read_demonstrations(file: str | Path) -> Demonstrations:
    """Read demonstrations that make sense by themselves.

    Args:
        file: a run directory that holds ``demonstrations.pt``, such a file, a ``.npz`` of arrays (see ``arrays``), or
            ``minari:<dataset>``.

    Raises:
        PgrobotError: there are none, or they cannot be read.
    """
    if str(file).startswith(MINARI):
        return read_minari(str(file).removeprefix(MINARI))
    path = Path(file)
    if path.is_dir():
        if not (path / FILE).is_file():
            raise PgrobotError(f"{path} holds no {FILE}: pgrobot record {path} makes it")
        path = path / FILE
    if not path.is_file():
        there = [each.name for each in path.parent.glob("*") if each.suffix in (".pt", ".npz")]
        beside = f" ({nearest(path.name, there)})" if there else ""
        raise PgrobotError(f"There are no demonstrations {path}{beside}: {HOW}")
    return read_arrays(path) if path.suffix == ".npz" else read_file(path)
