"""The files that a MuJoCo model is made of, so that a run can keep a copy that nothing outside can change."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import mujoco
import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.files import reason
from pgrobot.simulation.model import compiled

ABSOLUTE = re.compile(r"""(?P<quote>["'])(?P<path>/[^"']*)(?P=quote)""")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
COMPILER = re.compile(r"<compiler\b[^>]*>")
FOLDER = re.compile(r"""\b(?P<option>assetdir|meshdir|texturedir)\s*=\s*["'](?P<path>[^"']*)["']""")
ELEMENT = re.compile(r"<(?P<kind>\w+)\b[^>]*>")
# Which of the compiler's folders an element's files are looked for in; those of others in the model's own.
FOLDER_OF = {
    "mesh": "meshdir",
    "skin": "meshdir",
    "hfield": "meshdir",
    "flexcomp": "meshdir",
    "texture": "texturedir",
}


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A MJCF file with everything that it includes and loads.

    Attributes:
        option: of the task, which names the MJCF file; empty where there is no model.
        origin: the deepest folder that holds all of them.
        file: the MJCF file itself, below ``origin``.
        content: of every file by its name below ``origin``; references to absolute paths are relative ones there.
        rewritten: SHA-256 of the originals of those files whose references are.
    """

    option: str
    origin: Path
    file: str
    content: Mapping[str, bytes]
    rewritten: Mapping[str, str]

    @classmethod
    def of(cls, option: str, path: Path) -> Self:
        """Read the files of the model at ``path``, which ``option`` names, and make sure that they are all.

        Raises:
            PgrobotError: MuJoCo cannot compile it, or makes something else of a copy of these files.
        """
        model, path = compiled(path), Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are
        paths = sorted({path, *_loaded(path, model)})
        origin = Path(os.path.commonpath([file.parent for file in paths]))
        try:
            content = {_below(file, origin): file.read_bytes() for file in paths}
        except OSError as error:
            raise PgrobotError(f"the model {path} cannot be read: {reason(error)}.") from error
        written = {name: text.decode() for name, text in content.items() if _is_text(name, text)}
        main = _below(path, origin)  # its word counts more than that of what it includes
        folders = _folders(path.parent, sorted(written, key=lambda name: name == main), written)
        own = content | {name: _relative(text, origin, folders).encode() for name, text in written.items()}
        rewritten = {name: digest(content[name]) for name in written if own[name] != content[name]}
        files = cls(option, origin, main, own, rewritten)
        files._check(model)
        return files

    def save(self, folder: Path) -> None:
        """Write the files below ``folder``; raises OSError."""
        for name, content in self.content.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    @property
    def note(self) -> dict[str, Any]:
        """What a manifest says of them; nothing where there are none."""
        digests = {name: digest(content) for name, content in self.content.items()}
        return digests and {
            "option": self.option,
            "file": self.file,
            "origin": str(self.origin),
            "sha256": digests,
            "rewritten": dict(self.rewritten),
        }

    def _check(self, model: mujoco.MjModel) -> None:
        """Compile a copy of the files alone.

        Raises:
            PgrobotError: it is not ``model``.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save(Path(folder))
            file = Path(folder) / self.file
            refused = f"a run cannot keep a copy of the model {self.origin / self.file}, since the copy"
            try:
                copy = compiled(file)
            except PgrobotError as error:
                raise PgrobotError(f"{refused} does not compile by itself: {error}") from error
            outside = [path for path in _loaded(file, copy) if not path.is_relative_to(folder)]
            if outside:
                raise PgrobotError(f"{refused} still loads {outside[0]}: name that file by a relative path.")
            if not _same(model, copy):
                raise PgrobotError(f"{refused} compiles to another model: keep its files in one folder.")


NO_MODEL = ModelFiles("", Path(), "", {}, {})


def digest(content: bytes) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _loaded(path: Path, model: mujoco.MjModel) -> Iterator[Path]:
    """Absolute paths of what a model was made of, ``path`` included.

    MuJoCo's list of dependencies looks for height fields in the wrong folder; the model's own list has no includes.
    """
    listed = mujoco.mju_getXMLDependencies(str(path))
    for name in (*listed, *filter(None, model.paths.decode().split("\0"))):
        file = Path(os.path.abspath(name))  # noqa: PTH100
        if file.is_file():
            yield file


def _below(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def _is_text(name: str, content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return name.endswith(".xml")


def _folders(folder: Path, names: Iterable[str], texts: Mapping[str, str]) -> dict[str, Path]:
    """Where files are looked for, by the kind of the element that names them, and by ``""`` of all others."""
    found: dict[str, str] = {}
    for name in names:
        for element in COMPILER.findall(COMMENT.sub("", texts[name])):
            options = {match["option"]: match["path"] for match in FOLDER.finditer(element)}
            both = options.pop("assetdir", None)
            found |= {} if both is None else dict.fromkeys(("meshdir", "texturedir"), both)
            found |= options
    return {"": folder} | {kind: folder / found.get(option, "") for kind, option in FOLDER_OF.items()}


def _relative(text: str, origin: Path, folders: Mapping[str, Path]) -> str:
    """MJCF in which absolute paths below ``origin`` are relative ones to the folder where they are looked for."""

    def of_element(element: re.Match[str]) -> str:
        folder = folders.get(element["kind"], folders[""])

        def replaced(found: re.Match[str]) -> str:
            path = Path(os.path.abspath(found["path"]))  # noqa: PTH100
            if not path.exists() or not path.is_relative_to(origin):
                return found[0]
            return f"{found['quote']}{os.path.relpath(path, folder)}{found['quote']}"

        return ABSOLUTE.sub(replaced, element[0])

    return ELEMENT.sub(of_element, text)


def _same(one: mujoco.MjModel, other: mujoco.MjModel) -> bool:
    """Whether two models agree in every array; those that only say where files lay may differ."""
    fields = [name for name in dir(one) if not name.startswith("_") and "path" not in name]
    arrays = ((getattr(one, name), getattr(other, name)) for name in fields)
    return all(
        np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f")
        for mine, theirs in arrays
        if isinstance(mine, np.ndarray)
    )
