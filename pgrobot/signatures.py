"""What a class or function says of its parameters: their annotations, and the ranges that stand in them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from pgrobot.errors import PgrobotError
from pgrobot.ranges import Function, Rule, flag, number, one_of, text, whole

BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
PLAIN: Mapping[Any, Rule] = {bool: flag, int: whole, float: number, str: text("a word")}


class Hint(NamedTuple):
    """The annotation of a parameter: its type, and what stands beside that in ``Annotated``."""

    type: Any
    marks: tuple[Any, ...]

    @property
    def rule(self) -> Rule | None:
        """What is checked: a mark that says it, else a plain type or the words of a ``Literal``."""
        own = next((mark for mark in self.marks if isinstance(mark, Rule)), None)
        words = one_of(*get_args(self.type)) if get_origin(self.type) is Literal else None
        return own or words or PLAIN.get(self.type)


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
    """An annotation, taken apart; a dataclass beside its type says the keys of what is a mapping."""
    marks = getattr(annotation, "__metadata__", ())
    keys = [mark for mark in marks if inspect.isclass(mark) and is_dataclass(mark)]
    return Hint((*keys, get_args(annotation)[0])[0] if marks else annotation, marks)


def takes(target: Callable[..., Any], name: str) -> bool:
    """Whether a class or function has a parameter of a name; what is written in C says nothing, and has none."""
    try:
        return name in inspect.signature(target).parameters
    except ValueError:
        return False


def kept_functions(target: Callable[..., Any]) -> dict[str, Hint]:
    """The parameters of a class or function that are functions by name, each with what one of them is kept in."""
    found = {}
    for name, hint in hints(target).items():
        if get_origin(hint.type) is Mapping:
            element = hint_of(get_args(hint.type)[1])
            if isinstance(element.rule, Function):
                found[name] = element
    return found


def own_keys(hint: Hint) -> dict[str, Hint]:
    """The keys of what a function is kept in, beside the function's parameters."""
    return {name: own for name, own in hints(hint.type).items() if name != "function"}


def checked_own_keys(
    path: str, node: Mapping[str, Any], function: Callable[..., Any], hint: Hint
) -> list[str]:
    """Those keys, of a node at ``path`` that names a function.

    Raises:
        PgrobotError: it is a class; or one of the keys is missing, or is also a parameter of the function.
    """
    if inspect.isclass(function):
        raise PgrobotError(
            f"{path}._target_: {function.__name__} is a class, where a function of a simulation and its own parameters "
            "is needed"
        )
    needed = inspect.signature(hint.type).parameters
    for key in own_keys(hint):
        if takes(function, key):
            raise PgrobotError(
                f"{path}._target_ is a function with a parameter {key!r}, which is a key of {path} itself: give the "
                "parameter another name"
            )
        if key not in node and needed[key].default is inspect.Parameter.empty:
            raise PgrobotError(f"{path}.{key} must be given: add +{path}.{key}=<value>")
    return list(own_keys(hint))


def given(parameters: Mapping[str, inspect.Parameter], by: Any) -> tuple[list[str], list[str]]:
    """What a call by a protocol gives a function of these parameters: its keywords, and all that it fills.

    A keyword that has a default in the protocol is given to those that have a parameter of its name.
    """
    _, *arguments = inspect.signature(by.__call__).parameters.values()  # but for self
    keywords = [each for each in arguments if each.kind is each.KEYWORD_ONLY]
    positional = [name for name, each in parameters.items() if each.kind in BY_POSITION]
    always = [each.name for each in keywords if each.default is each.empty]
    return always, [*positional[: len(arguments) - len(keywords)], *(each.name for each in keywords)]


def is_section(hint: Hint) -> bool:
    """Whether keys of a dataclass stand here, not those of a part."""
    return inspect.isclass(hint.type) and is_dataclass(hint.type) and hint.rule is None
