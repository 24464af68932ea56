"""Settings as Python has them, written as overrides of the command line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pgrobot.errors import PgrobotError
from pgrobot.overrides import quote

KEYWORDS = ("null", "true", "false", "nan", "inf")  # of Hydra's grammar


def as_overrides(settings: Mapping[str, Any]) -> list[str]:
    """Write settings as overrides of the command line.

    Raises:
        PgrobotError: a value that a config cannot hold.
    """
    return [line for key, value in settings.items() for line in _lines(key, value)]


def _lines(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, DictConfig):
        value = OmegaConf.to_container(value)
    if not isinstance(value, Mapping):
        yield f"{key}={_literal(key, value)}"
        return
    if any("/" in str(name) for name in value):  # names of entries, which are no part of a key
        yield f"{key}={{{','.join(f'{name}:{_literal(key, child)}' for name, child in value.items())}}}"
        return
    own = {name for name, child in value.items() if _is_whole(key, child)}
    if key in ("constraint", "variation", "intrinsic"):
        yield f"{key}=[{','.join(name for name in value if name not in own)}]"
    for name, child in value.items():
        yield from _lines(f"{'+' * (name in own)}{key}.{name}", child)


def _is_whole(key: str, node: Any) -> bool:
    """Whether a constraint, a bonus or an entry of what varies is all there: one that no config has."""
    if not isinstance(node, Mapping):
        return False
    if key in ("variation", "intrinsic"):
        return {"variation": "field", "intrinsic": "_target_"}[key] in node
    cost = node.get("cost") if key == "constraint" and {"budget", "unit"} <= node.keys() else None
    return isinstance(cost, Mapping) and "_target_" in cost


def _literal(key: str, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return repr(float(value)) if not math.isnan(value) else "nan"
    if isinstance(value, (str, Path)):
        return _word(str(value))
    if isinstance(value, Sequence):
        return f"[{','.join(_literal(key, child) for child in value)}]"
    raise PgrobotError(f"{key} is a {type(value).__name__}, which a config cannot hold")


def _word(text: str) -> str:
    """A string as Hydra reads it back: quoted where it could mean something else."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", text) and text.lower() not in KEYWORDS
    return text if plain else quote(text)
