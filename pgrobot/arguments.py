"""Whether a config says what the class or function that it names has to be given, and nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pgrobot.errors import PgrobotError
from pgrobot.foreign import suggestion
from pgrobot.ranges import Called, Function
from pgrobot.signatures import Hint, checked_own_keys, given

WORDS = ("_target_", "_partial_")
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
Takers = Callable[[str, str], list[str]]  # of a group and a key


def check_arguments(
    path: str, node: Mapping[str, Any], target: Any, place: Hint | None, takers: Takers
) -> None:
    """Check that a node says what its target needs, and nothing else.

    Args:
        path: the node's key.
        node: its content.
        target: what it names.
        place: what the schema says of the key, where it has it: how the target is called later.
        takers: options of the node's group whose parts take a key.

    Raises:
        PgrobotError: the target is abstract, has no such parameter, needs another, or does not take what it is given
            when called.
    """
    name = str(getattr(target, "__name__", target))
    if inspect.isabstract(target):
        undefined = ", ".join(sorted(getattr(target, "__abstractmethods__", ())))
        raise PgrobotError(f"{path}._target_: {name} has to define {undefined}, which it does not")
    parameters = inspect.signature(target).parameters
    partial = bool(node.get("_partial_", False))
    called = place.rule if place else None
    keywords, supplied = given(parameters, called.by) if isinstance(called, Called) else ([], [])
    own: list[str] = []
    if place and isinstance(called, Function):
        partial, own = True, checked_own_keys(path, node, target, place)
    taken = supplied if partial else []
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        _check_keys(path, node, [*own, *(key for key in parameters if key not in taken)], taken, takers)
        for key in keywords if partial else ():
            if key not in parameters:
                raise PgrobotError(f"{path}: {name} has no parameter {key!r}, which it is called with")
    if partial and not isinstance(called, Called):
        return  # whoever calls it is of the user's own, and knows what it gives
    for key, parameter in parameters.items():
        needed = parameter.default is parameter.empty and parameter.kind not in _VARIADIC
        if needed and key not in node and key not in taken:
            remedy = _remedy(path, key, supplied, bool(own))
            raise PgrobotError(f"{path}.{key} must be given, as {name} needs it: {remedy}")


def _remedy(path: str, key: str, supplied: Sequence[str], is_function: bool) -> str:
    """What to do about a parameter that nobody gives."""
    remedy = f"add +{path}.{key}=<value>"
    if key in supplied:
        return f"set {path}._partial_=true, so that pgrobot gives it, or {remedy}"
    meant = get_close_matches(key, supplied, 1) if is_function else []
    return f"call the parameter {meant[0]!r}, which pgrobot gives it, or {remedy}" if meant else remedy


def _check_keys(
    path: str, node: Mapping[str, Any], known: Sequence[str], taken: Sequence[str], takers: Takers
) -> None:
    for key in node:
        if key in taken:
            raise PgrobotError(f"{path}.{key} is given by pgrobot itself: leave it out")
        if key not in known and key not in WORDS:
            others = takers(path.replace(".", "/"), key)
            told = f"those of {', '.join(others)} have it" if others else suggestion(key, known)
            raise PgrobotError(f"{path} has no key {key!r}: {told}")
