"""The terms of an objective as a config names them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from pgrobot.configure.targets import locate

Terms = Mapping[str, tuple[type, Mapping[str, Any]]]  # class and node by path


def terms_of(algorithm: Mapping[str, Any], modules: Sequence[str]) -> Terms:
    """The objective's terms by their paths. What a function makes is an ``object``: nothing is known of it."""
    found = {}
    for name, node in algorithm["objective"].items():
        path = f"algorithm.objective.{name}"
        kind = locate(path, node["_target_"], modules)
        found[path] = (kind if inspect.isclass(kind) else object, node)
    return found


def paths_of(terms: Terms, kinds: type | tuple[type, ...]) -> list[str]:
    """The paths of the terms of one of the classes."""
    return [path for path, (kind, _) in terms.items() if issubclass(kind, kinds)]
