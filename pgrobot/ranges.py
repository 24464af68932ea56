"""What a value may be: ranges that a part declares on its own parameters, as in ``clip: Annotated[float, above(0.0)]``.

Whoever builds the part from a config reads them from its signature. A range takes a value as the user typed it and
returns it in its type, or raises ``PgrobotError`` with a sentence that begins with the key.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pgrobot.errors import PgrobotError, nearest, shown


class Rule(ABC):
    """What a value may be."""

    @abstractmethod
    def __call__(self, key: str, value: Any) -> Any:
        """The value of ``key`` in its type.

        Raises:
            PgrobotError: it is none that the rule allows.
        """


@dataclass(frozen=True)
class Range(Rule):
    """A set of values; infinity may be typed as configs show it, ``.inf``.

    Attributes:
        holds: whether a value, of whatever type, lies in it.
        convert: gives one that does its type.
        refusal: the rest of a sentence about one that does not, after the key.
    """

    holds: Callable[[Any], bool]
    convert: Callable[[Any], Any]
    refusal: Callable[[Any], str]

    def __call__(self, key: str, value: Any) -> Any:
        value = math.inf if value == ".inf" else value
        if not self.holds(value):
            raise PgrobotError(f"{key} {self.refusal(value)}")
        return self.convert(value)


@dataclass(frozen=True)
class ListOf(Rule):
    """A list whose elements follow a rule of their own."""

    whole: Rule
    element: Rule

    def __call__(self, key: str, value: Any) -> Any:
        return [self.element(f"{key}.{index}", each) for index, each in enumerate(self.whole(key, value))]


@dataclass(frozen=True)
class MappingOf(Rule):
    """A mapping whose values follow a rule of their own."""

    whole: Rule
    value: Rule

    def __call__(self, key: str, value: Any) -> Any:
        return {name: self.value(f"{key}.{name}", each) for name, each in self.whole(key, value).items()}


@dataclass(frozen=True)
class Keys(Rule):
    """A node of keys, which a single value would wipe out.

    Attributes:
        example: a key that may have been meant.
    """

    example: str

    def __call__(self, key: str, value: Any) -> Any:
        if not isinstance(value, dict):
            raise PgrobotError(
                f"{key} consists of keys, such as {key}.{self.example}, so it cannot be {shown(value)}"
            )
        return value


@dataclass(frozen=True)
class Built(Keys):
    """Such a node of a part that is built from the class or function that it names."""

    def __call__(self, key: str, value: Any) -> Any:
        if "_target_" not in super().__call__(key, value):
            raise PgrobotError(f"{key}._target_ must be given: add +{key}._target_=<class or function>")
        return value


@dataclass(frozen=True)
class Called(Built):
    """Such a node of a part that is ``_partial_``: whoever needs it calls it, with the rest of its parameters.

    Attributes:
        by: the protocol by which it is called.
    """

    by: Any


@dataclass(frozen=True)
class Function(Called):
    """Such a node of a function that is kept in a dataclass, as its field ``function``, and never called before.

    The node has the keys of that dataclass, whose type stands before this mark, and parameters of the function.
    """


@dataclass(frozen=True)
class Within:
    """Of a parameter that lies between two others of its part, which ascend."""

    least: str
    greatest: str

    def check(self, path: str, key: str, node: Mapping[str, Any]) -> None:
        """Compare the values of the part's node at ``path``; one that is not there bounds nothing.

        Raises:
            PgrobotError: they do not ascend, or ``key`` lies outside.
        """
        least, greatest = node.get(self.least, -math.inf), node.get(self.greatest, math.inf)
        low, high = f"{path}.{self.least}", f"{path}.{self.greatest}"
        if least > greatest:
            raise PgrobotError(f"{low} is {least}, which is more than {high}, {greatest}")
        if not least <= node.get(key, least) <= greatest:
            raise PgrobotError(
                f"{path}.{key} is {node[key]}, which lies outside {low} and {high}, {least} and {greatest}: "
                "set one of the three"
            )


@dataclass(frozen=True)
class OnlyWhere:
    """Of a parameter that does something only where another one of its part has a certain value.

    Its default in configs is an interpolation: whoever gives a value of his own expects it to do something.
    """

    key: str
    value: Any

    def check(self, path: str, key: str, node: Mapping[str, Any]) -> None:
        """Refuse the ``key`` of a part's node at ``path``, which was given a value.

        Raises:
            PgrobotError: it does nothing there.
        """
        if node.get(self.key) != self.value:
            other = f"{path}.{self.key}"
            raise PgrobotError(
                f"{path}.{key}={node[key]} does nothing where {other}={node.get(self.key)}: leave it out, or use "
                f"{other}={self.value}"
            )


def described(holds: Callable[[Any], bool], convert: Callable[[Any], Any], words: str) -> Range:
    """A range that is told in a few words, which follow "must be"."""
    return Range(holds, convert, lambda value: f"must be {words}, not {shown(value)}")


def is_number(value: Any) -> bool:
    """Whether ``value`` is a number, which a truth value and NaN are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)


def is_whole(value: Any) -> bool:
    """Whether ``value`` is a whole number; ``1e6`` is one."""
    return is_number(value) and float(value).is_integer()


def at_least(minimum: float) -> Range:
    """A whole number for a minimum that is one, as in ``at_least(1)``; else any finite number, as ``at_least(0.0)``."""
    if isinstance(minimum, int):
        words = f"a whole number of at least {minimum}"
        return described(lambda value: is_whole(value) and value >= minimum, int, words)
    words = f"a number of at least {minimum:g}"
    return described(lambda value: is_number(value) and minimum <= value < math.inf, float, words)


def above(minimum: float) -> Range:
    """A finite number above ``minimum``."""
    words = f"a number above {minimum:g}"
    return described(lambda value: is_number(value) and minimum < value < math.inf, float, words)


def between(minimum: float, maximum: float) -> Range:
    """A number between two bounds, which both count."""
    words = f"a number from {minimum:g} to {maximum:g}"
    return described(lambda value: is_number(value) and minimum <= value <= maximum, float, words)


def inside(minimum: float, maximum: float) -> Range:
    """A number between two bounds, which do not count."""
    words = f"a number between {minimum:g} and {maximum:g}"
    return described(lambda value: is_number(value) and minimum < value < maximum, float, words)


def ascending(example: str) -> Range:
    """A pair of numbers, the lesser first."""

    def holds(value: Any) -> bool:
        return (
            isinstance(value, list) and len(value) == 2 and all(map(is_number, value)) and value[0] < value[1]
        )

    words = f"two ascending numbers, such as {example}"
    return described(holds, lambda value: [float(bound) for bound in value], words)


def one_of(*choices: str) -> Range:
    """One of a few words."""
    return Range(
        lambda value: value in choices,
        str,
        lambda value: f"cannot be {shown(value)}: {nearest(str(value), choices)}",
    )


def text(words: str) -> Range:
    """A text that means something, described by ``words``."""
    return described(lambda value: isinstance(value, str), str, words)


def list_of(element: Rule, words: str) -> ListOf:
    """A list, described by ``words``, of elements that each follow a rule."""
    return ListOf(described(lambda value: isinstance(value, list), list, words), element)


number = described(is_number, float, "a number")  # infinity is one
finite = described(lambda value: is_number(value) and math.isfinite(value), float, "a finite number")
whole = described(is_whole, int, "a whole number")
flag = described(lambda value: isinstance(value, bool), bool, "true or false")
positive = described(lambda value: is_number(value) and value > 0.0, float, "a number above 0")  # or infinity
# a part of a whole, which is not nothing
share = described(
    lambda value: is_number(value) and 0.0 < value <= 1.0, float, "a number above 0 and at most 1"
)
# the factor by which what is remembered fades, which is not one
fading = described(
    lambda value: is_number(value) and 0.0 <= value < 1.0, float, "a number of at least 0 and below 1"
)
layers = list_of(at_least(1), "a list of layer sizes, such as [64,64]")
