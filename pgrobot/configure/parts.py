"""What a part says of itself: the parameters in its signature, what they may be, and what it needs of the others."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from pgrobot.configure.foreign import suggestion
from pgrobot.errors import PgrobotError
from pgrobot.ranges import CalledBy, Given, Rule, Within, flag, number, one_of, text, whole

WORDS = ("_target_", "_partial_")
_PLAIN: Mapping[Any, Rule] = {bool: flag, int: whole, float: number, str: text("a word")}


class Hint(NamedTuple):
    """The annotation of a parameter: its type, and what stands beside that in ``Annotated``."""

    type: Any
    marks: tuple[Any, ...]

    @property
    def rule(self) -> Rule | None:
        """What is checked: a mark that says it, else a plain type or the words of a ``Literal``."""
        own = next((mark for mark in self.marks if isinstance(mark, Rule)), None)
        words = one_of(*get_args(self.type)) if get_origin(self.type) is Literal else None
        return own or words or _PLAIN.get(self.type)

    @property
    def is_section(self) -> bool:
        """Whether keys of a dataclass stand here, not those of a part."""
        return inspect.isclass(self.type) and is_dataclass(self.type)

    def given(self) -> Given | None:
        """What the part that stands here is called with later, where that is known."""
        return next((mark.given() for mark in self.marks if isinstance(mark, CalledBy)), None)


def hints(target: Callable[..., Any]) -> dict[str, Hint]:
    """The annotations of a class's or function's parameters by name.

    Raises:
        PgrobotError: one names what its module does not import, but for type checkers perhaps.
    """
    constructor: Any = target.__init__ if inspect.isclass(target) and not _made_of_fields(target) else target
    try:
        found = get_type_hints(constructor, include_extras=True)
    except NameError as error:
        name = f"{target.__module__}.{getattr(target, '__qualname__', '')}"
        raise PgrobotError(f"The annotations of {name} cannot be read: {error}") from error
    return {name: hint_of(found[name]) for name in inspect.signature(target).parameters if name in found}


def _made_of_fields(kind: type) -> bool:
    """Whether a dataclass made the constructor, which knows one module where fields may come from several."""
    owner = next(base for base in kind.__mro__ if "__init__" in vars(base))
    return bool(getattr(vars(owner).get("__dataclass_params__"), "init", False))


def hint_of(annotation: Any) -> Hint:
    """An annotation, taken apart."""
    marks = getattr(annotation, "__metadata__", ())
    return Hint(get_args(annotation)[0] if marks else annotation, marks)


def convert(path: str, node: dict[str, Any], known: Mapping[str, Hint]) -> None:
    """Bring the values of a node in place to the types of the parameters that they are for.

    Raises:
        PgrobotError: one is not what its parameter may be.
    """
    for key, hint in known.items():
        value, rule = node.get(key), hint.rule
        built = isinstance(value, dict) and "_target_" in value
        if key in node and key not in WORDS and rule is not None and not built:
            node[key] = rule(f"{path}.{key}" if path else key, value)
    for key, hint in known.items():
        for mark in hint.marks:
            if isinstance(mark, Within):
                mark.check(path, key, node)


def check_arguments(
    path: str, node: Mapping[str, Any], target: Callable[..., Any], later: Given | None
) -> None:
    """Check that a node says what its target needs, and nothing else.

    Args:
        path: the node's key.
        node: its content.
        target: what it names.
        later: what the target is called with later, where that is known.

    Raises:
        PgrobotError: the target is abstract, has no such parameter, needs another, or does not take what it is given
            when called.
    """
    if inspect.isabstract(target):
        undefined = ", ".join(sorted(getattr(target, "__abstractmethods__", ())))
        raise PgrobotError(f"{path}._target_: {_name(target)} has to define {undefined}, which it does not")
    parameters = inspect.signature(target).parameters
    partial = bool(node.get("_partial_", False))
    supplied = _supplied(parameters, later) if later else ()
    taken = supplied if partial else ()
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        _check_keys(path, node, parameters, taken)
        for key in later.keywords if later and partial else ():
            if key not in parameters:
                raise PgrobotError(
                    f"{path}: {_name(target)} has no parameter {key!r}, which it is called with"
                )
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
