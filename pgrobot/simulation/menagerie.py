"""Models of MuJoCo Menagerie by name, ``menagerie:unitree_go1/scene``, through its optional package."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from pgrobot.errors import PgrobotError, in_a_sentence, nearest

SCHEME = "menagerie:"
HOW = (
    "clone https://github.com/google-deepmind/mujoco_menagerie and set MENAGERIE_ROOT to that folder, or, where "
    "there is a network, let the package fetch it into its cache (MENAGERIE_CACHE_DIR)"
)


def menagerie_model(name: str) -> Path:
    """Where a model lies that is named ``menagerie:<robot>/<model>``, or ``menagerie:<robot>`` for its usual scene.

    The package looks into the checkout that ``MENAGERIE_ROOT`` names, else into its cache, which it fills by itself.

    Raises:
        PgrobotError: the package is not installed, knows no such robot or model, or has not got its files.
    """
    robot, _, model = name.removeprefix(SCHEME).partition("/")
    menagerie = _package(name)
    names = list(menagerie.names())
    if robot not in names:
        raise PgrobotError(f"task.xml_file={name}: Menagerie has no robot '{robot}': {nearest(robot, names)}")
    known = menagerie.get(robot)
    entries = tuple(known.entry_names)
    model = model.removesuffix(".xml") or str(known.default_scene)
    if model not in entries:
        raise PgrobotError(
            f"task.xml_file={name}: {robot} of Menagerie has no model '{model}': {nearest(model, entries)}"
        )
    try:
        path = Path(known.xml(model))
    except Exception as error:
        raise PgrobotError(
            f"task.xml_file={name}: the files of {robot} are not here ({in_a_sentence(error)}): {HOW}."
        ) from error
    if not path.is_file():
        raise PgrobotError(f"task.xml_file={name}: there is no {path}: {HOW}.")
    return path


def _package(name: str) -> Any:
    try:
        return importlib.import_module("mujoco_menagerie")
    except ImportError as error:
        raise PgrobotError(
            f"task.xml_file={name} needs the package mujoco-menagerie: pip install 'pgrobot[menagerie]'."
        ) from error
