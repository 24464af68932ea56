"""Which classes and functions a config may name.

A config is data that may come from somebody else (``resume=<run>``), so a ``_target_`` is only followed into the rooms
listed here and into the modules that the user names in ``modules``; and what is found there must have been
defined in them, so that no path leads through one of their imports to something else.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pgrobot.configure.blame import place_in
from pgrobot.errors import PgrobotError, in_a_sentence, nearest, shown

ROOMS = tuple(
    f"pgrobot.{room}"
    for room in (
        "baselines", "bodies", "collectors", "constraints", "critics", "diagnostics", "envs", "estimators",
        "laboratory", "learner", "objectives", "policies", "intrinsic", "schemes", "simulation", "solvers",
        "tracking",
    )
)  # fmt: skip


def targets(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk a plain config and yield every node that has a ``_target_``, with its key."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield path, node
        for key, child in node.items():
            yield from targets(child, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from targets(child, f"{path}.{index}")


def locate(path: str, target: Any, modules: Sequence[str]) -> Callable[..., Any]:
    """Find what the ``_target_`` of the node at ``path`` names.

    Args:
        path: the node's key, for the message.
        target: a dotted name: a module and one attribute of it.
        modules: trusted beside this package's own rooms.

    Raises:
        PgrobotError: it lies outside the trusted rooms, or does not exist.
    """
    if not isinstance(target, str) or "." not in target:
        raise PgrobotError(f"{path}._target_ must be the path of a class, not {shown(target)}")
    trusted = (*ROOMS, *modules)
    check_trusted(f"{path}._target_", target, modules)
    module_name, name = target.rsplit(".", 1)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise PgrobotError(
            f"{path}._target_ names {target!r}, but there is no module {error.name!r}"
        ) from error
    except Exception as error:
        place = place_in(error, modules)
        if not place:
            raise
        raise PgrobotError(
            f"{path}._target_ names {target!r}, but {place} raised {in_a_sentence(error)}"
        ) from error
    public = [word for word, value in vars(module).items() if callable(value) and not word.startswith("_")]
    found = getattr(module, name, None)
    if not callable(found):
        raise PgrobotError(f"{path}._target_: {module_name} has no {name!r}: {nearest(name, public)}")
    if not _inside(f"{getattr(found, '__module__', '')}.", trusted):
        raise PgrobotError(f"{path}._target_ names {target!r}, which is not defined there")
    return found


def check_trusted(path: str, target: str, modules: Sequence[str]) -> None:
    """Refuse to import what neither lies in this package's rooms nor in the modules that the user named.

    Raises:
        PgrobotError: it does not; the message says how to trust it.
    """
    if _inside(f"{target}.", (*ROOMS, *modules)):
        return
    root = target.split(".", maxsplit=1)[0]
    own = "pgrobot's own rooms are trusted"
    remedy = own if root == "pgrobot" else f"if you trust it, add modules=[{root}]"
    raise PgrobotError(f"{path} names {target!r}, which is not trusted: {remedy}")


def check_modules(modules: Sequence[str]) -> None:
    """Refuse modules that the user named and that Python does not find.

    Raises:
        PgrobotError: names the first.
    """
    for name in modules:
        try:
            found = name in sys.modules or importlib.util.find_spec(name)
        except (ImportError, ValueError):
            found = None
        if not found:
            raise PgrobotError(
                f"modules names {shown(name)}, which Python does not find: install it, or add its folder to PYTHONPATH"
            )


def _inside(target: str, roots: Sequence[str]) -> bool:
    return any(target.startswith(f"{root}.") for root in roots)
