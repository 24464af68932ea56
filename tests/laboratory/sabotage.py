"""How to break what a check of the laboratory looks at, and what it has to say then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

import pgrobot.estimators
from pgrobot.estimators import EstimatorInput

Break = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Sabotage:
    """A broken formula.

    Attributes:
        check: which has to notice.
        outcomes: some that have to fail, by how their names begin.
        function: breaks it.
    """

    check: str
    outcomes: tuple[str, ...]
    function: Break


SABOTAGE: dict[str, Sabotage] = {}


def sabotage(check: str, *outcomes: str) -> Callable[[Break], Break]:
    """Register what breaks a check."""

    def register(function: Break) -> Break:
        assert function.__name__ not in SABOTAGE
        SABOTAGE[function.__name__] = Sabotage(check, outcomes, function)
        return function

    return register


def estimator(patch: pytest.MonkeyPatch, name: str, change: Callable[..., Mapping[str, Any]]) -> None:
    """Put an estimator in the place of one of ours that sees changed arguments."""
    original = getattr(pgrobot.estimators, name)

    def changed(given: EstimatorInput, **parameters: Any) -> Any:
        columns = {field.name: getattr(given, field.name) for field in fields(given)}
        wrong = change(**columns, **parameters)
        seen = {name: value for name, value in wrong.items() if name in columns}
        return original(
            replace(given, **seen), **(parameters | {k: v for k, v in wrong.items() if k not in columns})
        )

    changed.__module__ = original.__module__
    patch.setattr(pgrobot.estimators, name, changed)
