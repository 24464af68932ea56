"""Which classes and functions a config may name, and the only place where they are called.

A config is data that may come from somebody else (``resume=<run>``), so a ``_target_`` is only followed into the rooms
listed here and into the modules that the user names in ``modules``; and what is found there must have been
defined in them, so that no path leads through one of their imports to something else.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pgrobot.blame import place_in
from pgrobot.errors import PgrobotError, in_a_sentence, nearest, shown
from pgrobot.signatures import Hint, kept_functions, own_keys

ROOMS = tuple(
    f"pgrobot.{room}"
    for room in (
        "baselines", "bodies", "collectors", "constraints", "critics", "diagnostics", "envs", "estimators",
        "laboratory", "learner", "objectives", "policies", "intrinsic", "replay", "schemes", "simulation", "solvers",
        "tracking", "transfer", "wrappers",
    )
)  # fmt: skip


def nodes(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk a plain nested value and yield every dict in it with its dotted key, outer ones first."""
    if isinstance(node, dict):
        yield path, node
    children = node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ())
    for key, child in list(children):
        yield from nodes(child, f"{path}.{key}" if path else str(key))


def targets(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Those of them that have a ``_target_``."""
    return ((path, found) for path, found in nodes(node) if "_target_" in found)


def leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every single value below a node, with its key."""
    if isinstance(node, dict):
        children = [(str(key), child) for key, child in node.items()]
    elif isinstance(node, list):
        children = [(str(index), child) for index, child in enumerate(node)]
    else:
        yield path, node
        return
    for key, child in children:
        yield from leaves(child, f"{path}.{key}" if path else key)


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


def construct(cfg: DictConfig, path: str) -> Any:
    """Call every ``_target_`` at and below the key ``path``, inner ones first; ``_partial_`` ones stay uncalled.

    Raises:
        PgrobotError: a target is not trusted, or refuses its arguments.
    """
    return _construct(OmegaConf.to_container(OmegaConf.select(cfg, path)), path, list(cfg.modules))


def _construct(node: Any, path: str, modules: Sequence[str]) -> Any:
    """What stands at ``path``, every part in it built."""
    if isinstance(node, list):
        return [_construct(child, f"{path}.{index}", modules) for index, child in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if "_target_" not in node:
        return {key: _construct(child, f"{path}.{key}", modules) for key, child in node.items()}
    target: Callable[..., Any] = locate(path, node["_target_"], modules)
    kept = kept_functions(target)
    arguments = {
        key: {name: _kept(kept[key], each, f"{path}.{key}.{name}", modules) for name, each in child.items()}
        if key in kept
        else _construct(child, f"{path}.{key}", modules)
        for key, child in node.items()
        if key not in ("_target_", "_partial_")
    }
    return partial(target, **arguments) if node.get("_partial_", False) else target(**arguments)


def _kept(hint: Hint, node: dict[str, Any], path: str, modules: Sequence[str]) -> Any:
    """A function that is named and not called, with the parameters that its node gives, in what keeps it."""
    own = own_keys(hint)
    given = {
        key: _construct(child, f"{path}.{key}", modules)
        for key, child in node.items()
        if key not in ("_target_", "_partial_")
    }
    function = partial(
        locate(path, node["_target_"], modules),
        **{key: value for key, value in given.items() if key not in own},
    )
    return hint.type(function=function, **{key: value for key, value in given.items() if key in own})
