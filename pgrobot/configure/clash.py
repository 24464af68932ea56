"""Two choices that are both fine and do not go together, such as a recipe for one algorithm and another algorithm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

# Recipes that write into the whole config.
RECIPES = ("experiment", "debug")


def clash(overrides: Sequence[str], accepted: Callable[[Sequence[str]], bool]) -> str:
    """Find a recipe and another override, neither of which is refused without the other.

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
