"""The terms of an objective as a config names them, and what they declare of themselves."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from pgrobot.configure.targets import locate
from pgrobot.errors import PgrobotError

Terms = Mapping[str, tuple[Any, Mapping[str, Any]]]  # class or function, and node, by path

# Attributes of ``Objective`` that every term has to have.
DECLARED = {
    "reads_advantage": "whether it reads batch.advantage",
    "multiplies_ratio": "whether it multiplies the advantage by π/μ",
}


def terms_of(algorithm: Mapping[str, Any], modules: Sequence[str]) -> Terms:
    """The objective's terms by their paths.

    Raises:
        PgrobotError: one does not declare what it reads.
    """
    found = {}
    for name, node in algorithm["objective"].items():
        path = f"algorithm.objective.{name}"
        kind = locate(path, node["_target_"], modules)
        for attribute, meaning in DECLARED.items():
            if not isinstance(getattr(kind, attribute, None), bool):
                raise PgrobotError(
                    f"{path} is {node['_target_']}, which does not say {meaning}: "
                    f"declare {attribute}: ClassVar[bool] = True or False on it"
                )
        found[path] = (kind, node)
    return found


def paths_of(terms: Terms, kinds: type | tuple[type, ...]) -> list[str]:
    """The paths of the terms of one of the classes."""
    return [path for path, (kind, _) in terms.items() if inspect.isclass(kind) and issubclass(kind, kinds)]


def surrogates(terms: Terms, *, with_ratio: bool) -> list[str]:
    """The paths of the terms that multiply the advantage, by π/μ as well or not."""
    return [
        path
        for path, (kind, _) in terms.items()
        if kind.reads_advantage and kind.multiplies_ratio == with_ratio
    ]


def objective_has_ratio(objective: Any, modules: Any) -> bool:
    """Whether the terms of an objective's node multiply the advantage by π/μ, as they declare.

    Where one does not, or something is wrong with one, the config is refused by whoever checks it.
    """
    try:
        return not surrogates(terms_of({"objective": objective}, list(modules)), with_ratio=False)
    except Exception:  # noqa: BLE001 - the user's code may raise anything when it is imported, and will again
        return True
