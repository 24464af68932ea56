"""Overrides, ``key=value`` as they are typed: reading and writing them by Hydra's grammar, and two that clash."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException

from pgrobot.errors import PgrobotError

RECIPES = ("experiment", "debug")  # what writes into the whole config


def parse(overrides: Sequence[str]) -> list[Override]:
    """Read overrides by Hydra's grammar.

    Raises:
        PgrobotError: one cannot be read.
    """
    parser = OverridesParser.create()
    parsed = []
    for text in overrides:
        try:
            parsed.extend(parser.parse_overrides([text]))
        except HydraException as error:
            remedy = "write key=value, and quote a list for the shell, as in 'constraint=[speed,torque]'"
            remedy = f"write {text}=<value>" if text.isidentifier() else remedy
            raise PgrobotError(f"Cannot read the override {text!r}: {remedy}") from error
    for override in parsed:
        if override.type is OverrideType.CHANGE and override.value() == {}:
            key = override.key_or_group
            raise PgrobotError(
                f"{override.input_line} changes nothing, for a mapping is merged into what is there: "
                f"~{key}.<key> takes a key out"
            )
    return parsed


def replacing(overrides: Sequence[str]) -> list[str]:
    """The overrides, each mapping that names a ``_target_`` in the place of what is there, not merged into it."""
    lines: list[str] = []
    for override in parse(overrides):
        line = text_of(override)
        value = override.value() if override.type is OverrideType.CHANGE else None
        whole = isinstance(value, dict) and "_target_" in value
        lines += [f"~{override.key_or_group}", f"+{line}"] if whole else [line]
    return lines


def quote(text: str) -> str:
    """Write any string as a value that the grammar reads back as that string."""
    # Backslashes count only before a quote: before ours, the closing one included, they are doubled.
    return "'" + re.sub(r"(\\*)(?='|$)", r"\1\1", text).replace("'", "\\'") + "'"


def text_of(override: Override) -> str:
    """Return an override as it was typed."""
    assert override.input_line is not None, "an override that was parsed from text keeps the text"
    return override.input_line


def clash(overrides: Sequence[str], accepted: Callable[[Sequence[str]], bool]) -> str:
    """Find a recipe and another override that are both fine and do not go together: none is refused without the other.

    Args:
        overrides: as typed, refused together.
        accepted: whether such overrides are.

    Returns:
        The first words of a sentence, or nothing where no two such overrides are typed.
    """
    for recipe in filter(_is_recipe, overrides):
        if accepted([line for line in overrides if line != recipe]):
            for other in overrides:
                if not _is_recipe(other) and accepted([line for line in overrides if line != other]):
                    return f"{recipe} does not go with {other}"
    return ""


def _is_recipe(line: str) -> bool:
    return line.partition("=")[0] in RECIPES
