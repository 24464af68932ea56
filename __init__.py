"""Beside a clone that is named ``pgrobot``, Python takes this folder for the package: hand it the installed one.

Without this file the folder would be an empty namespace package there, and ``from pgrobot import train`` would fail
without a reason. Under any other name the file does nothing.
"""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path


def _installed(this: Path) -> importlib.machinery.ModuleSpec | None:
    """The specification of ``pgrobot`` as from a directory in which it does not mean ``this`` file, linked or not."""
    elsewhere = [entry for entry in sys.path if (Path(entry) / "pgrobot" / "__init__.py").resolve() != this]
    for finder in sys.meta_path:
        path = elsewhere if finder is importlib.machinery.PathFinder else None
        spec = finder.find_spec("pgrobot", path)
        if spec is not None and spec.loader is not None and spec.origin is not None:
            return spec
    return None


if __name__ == "pgrobot":
    _file = Path(__file__).resolve()
    _spec = _installed(_file)
    if _spec is None or _spec.loader is None:
        raise ImportError(
            f"{_file.parent} is a checkout of pgrobot, which is not installed for {sys.executable}: "
            "run `make setup` in it and use its .venv/bin/python"
        )
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["pgrobot"] = _module  # which is what the import statement then takes
    _spec.loader.exec_module(_module)
