"""What the files of a run have to look like where a report reads them; what looks otherwise is left out and named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# A mapping of keys to shapes, in which "*" stands for all other keys; a list of one shape, for any number; a tuple,
# for as many; str; or ANY, of which nothing is asked. Nobody has to have any key.
ANY: object = object()
JUDGED = {"return": {"mean": ANY, "ci95": (ANY, ANY), "episodes": ANY}, "episode_length": {}}
SHAPES: Mapping[str, Any] = {
    "config.yaml": {
        "task": {},
        "algorithm": {},
        "constraint": {"*": {"unit": str}},
    },
    "manifest.json": {"versions": {}, "resumed": [ANY]},
    "spec.json": {"name": str, "actions": [{"name": str, "unit": str}]},
    "certificate.json": {
        "claim": str,
        "policy": {"step": ANY},
        "terms": {"mode": str, "bound": str},
        "return": {"mean": ANY, "episodes": ANY},
    },
    "result.json": {
        **JUDGED,
        "status": str,
        "costs": {"*": {"verdict": str, "unit": str}},
        "warnings": [str],
        "judged": {"mode": str},
        "other_mode": {"mode": str, **JUDGED},
    },
}
WORDS: Mapping[Any, str] = {dict: "a mapping", list: "a list", tuple: "a list of {}", str: "a text"}


def fitted(name: str, content: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """A file without what has another shape than a report can read.

    Args:
        name: of the file, one of ``SHAPES``.
        content: of it.

    Returns:
        What is left, and a sentence on the first thing that was left out; empty where that is nothing. Null is not
        known, and left out without a word.
    """
    wrong: list[str] = []
    left = _fitted(content, SHAPES[name], "", wrong)
    if not wrong:
        return left, ""
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return left, f"{name} has {wrong[0]} belongs{more}: that is left out."


def _fitted(value: Any, shape: Any, where: str, wrong: list[str]) -> Any:
    """What of a value fits; None where it does not itself."""
    if shape is ANY or value is None:
        return value
    if shape is str and isinstance(value, str):
        return value
    if isinstance(shape, dict) and isinstance(value, dict):
        inner = {
            key: _fitted(part, shape.get(key, shape.get("*", ANY)), f"{where}.{key}", wrong)
            for key, part in value.items()
        }
        return {key: part for key, part in inner.items() if part is not None}
    if isinstance(shape, list) and isinstance(value, list):
        items = (_fitted(item, shape[0], f"{where}[{i}]", wrong) for i, item in enumerate(value))
        return [item for item in items if item is not None]
    if isinstance(shape, tuple) and isinstance(value, list) and len(value) == len(shape):
        return value
    kind = shape if isinstance(shape, type) else type(shape)
    size = len(shape) if isinstance(shape, tuple) else 0
    shown = repr(value) if len(repr(value)) < 40 else f"{repr(value)[:36]}…"
    wrong.append(f"{shown} as {where.removeprefix('.')}, where {WORDS[kind].format(size)}")
    return None
