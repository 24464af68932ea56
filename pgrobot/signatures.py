"""What a class or function says of its parameters: their annotations, and the ranges that stand in them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from pgrobot.errors import PgrobotError
from pgrobot.ranges import Rule, flag, number, one_of, text, whole

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


def is_section(hint: Hint) -> bool:
    """Whether keys of a dataclass stand here, not those of a part."""
    return inspect.isclass(hint.type) and is_dataclass(hint.type) and hint.rule is None
