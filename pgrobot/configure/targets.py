"""Which classes and functions a config may name, and what may be said to them.

A config is data that may come from somebody else (``resume=<run>``), so a ``_target_`` is only followed into the rooms
listed here and into the modules that the user names in ``modules``; and what is found there must have been
defined in them, so that no path leads through one of their imports to something else.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pgrobot.configure.blame import place_in
from pgrobot.configure.factories import Given, given
from pgrobot.configure.foreign import suggestion
from pgrobot.configure.rules import Rule, any_real, any_whole, of_type, one_of, shown
from pgrobot.errors import PgrobotError, in_a_sentence, nearest

ROOMS = tuple(
    f"pgrobot.{room}"
    for room in (
        "baselines", "collectors", "constraints", "critics", "diagnostics", "envs", "estimators", "laboratory",
        "learner", "objectives", "policies", "intrinsic", "simulation", "solvers", "tracking",
    )
)  # fmt: skip
WORDS = ("_target_", "_partial_")


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


def check_arguments(path: str, node: Mapping[str, Any], target: Callable[..., Any]) -> None:
    """Check that a node says what its target needs, and nothing else.

    Raises:
        PgrobotError: the target is abstract, has no such parameter, needs another, or does not take what it is given
            when called.
    """
    if inspect.isabstract(target):
        undefined = ", ".join(sorted(getattr(target, "__abstractmethods__", ())))
        raise PgrobotError(f"{path}._target_: {_name(target)} has to define {undefined}, which it does not")
    parameters = inspect.signature(target).parameters
    partial, later = bool(node.get("_partial_", False)), given(path)
    supplied = _supplied(parameters, later) if later else ()
    taken = supplied if partial else ()
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        _check_keys(path, node, parameters, taken)
        _check_call(path, target, parameters, later.keywords if later and partial else ())
    if partial and later is None:
        return  # whoever calls it is of the user's own, and knows what it gives
    for name, parameter in parameters.items():
        if name in node or not _is_required(parameter) or name in taken:
            continue
        remedy = f"add +{path}.{name}=<value>"
        if name in supplied:
            remedy = f"set {path}._partial_=true, so that pgrobot gives it, or {remedy}"
        raise PgrobotError(f"{path}.{name} must be given, as {_name(target)} needs it: {remedy}")


def _check_keys(
    path: str, node: Mapping[str, Any], parameters: Iterable[str], supplied: Sequence[str]
) -> None:
    known = [name for name in parameters if name not in supplied]
    for key in node:
        if key in supplied:
            raise PgrobotError(f"{path}.{key} is given by pgrobot itself: leave it out")
        if key not in known and key not in WORDS:
            raise PgrobotError(f"{path} has no key {key!r}: {suggestion(key, known)}")


def _check_call(
    path: str, target: Callable[..., Any], parameters: Iterable[str], keywords: Sequence[str]
) -> None:
    for key in keywords:
        if key not in parameters:
            raise PgrobotError(f"{path}: {_name(target)} has no parameter {key!r}, which it is called with")


def _supplied(parameters: Mapping[str, inspect.Parameter], later: Given) -> tuple[str, ...]:
    """The parameters that are given when the target is called."""
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [name for name, p in parameters.items() if p.kind in by_position]
    return (*positional[: later.positions], *later.keywords)


def _is_required(parameter: inspect.Parameter) -> bool:
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in variadic


def _name(target: Callable[..., Any]) -> str:
    return str(getattr(target, "__name__", target))


def annotated_rules(target: Callable[..., Any]) -> dict[str, Rule]:
    """Derive a rule for every parameter whose annotation is a plain type.

    Raises:
        PgrobotError: an annotation names what its module does not import, but for type checkers perhaps.
    """
    constructor = target.__init__ if inspect.isclass(target) else target
    try:
        hints = get_type_hints(constructor)
    except NameError as error:
        name = f"{target.__module__}.{getattr(target, '__qualname__', '')}"
        raise PgrobotError(f"The annotations of {name} cannot be read: {error}") from error
    return {name: rule for name, hint in hints.items() if (rule := _rule(hint)) is not None}


def _rule(hint: Any) -> Rule | None:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if get_origin(hint) is Literal:
        return one_of(*get_args(hint))
    return None


_PLAIN: dict[Any, Rule] = {
    bool: of_type(bool, "true or false"),
    int: any_whole,
    float: any_real,
    str: of_type(str, "a word"),
}


def _inside(target: str, roots: Sequence[str]) -> bool:
    return any(target.startswith(f"{root}.") for root in roots)
