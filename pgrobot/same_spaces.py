"""Whether two environments have the same spaces, so that what was trained in one can act in the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from pgrobot.errors import shown
from pgrobot.types import EnvironmentSpec


def first_difference(one: EnvironmentSpec, other: EnvironmentSpec) -> str:
    """Where the shapes and types of observations, or the number, choices and bounds of actions, are not the same.

    Returns:
        What the one has and the other has instead, ``observes 3 numbers … , not …``; empty where they agree.
    """
    for name in dict.fromkeys([*other.observation, *one.observation]):
        ours, theirs = _group(one, name), _group(other, name)
        if ours != theirs:
            return f"observes {ours} as {name!r}, not {theirs}"
    compared: dict[str, tuple[Any, Any]] = {
        "a number of actions": (len(one.actions), len(other.actions)),
        "choices of actions": ([a.choices for a in one.actions], [a.choices for a in other.actions]),
        "least actions": (one.action_low.tolist(), other.action_low.tolist()),
        "greatest actions": (one.action_high.tolist(), other.action_high.tolist()),
    }
    for what, (ours, theirs) in compared.items():
        if not np.array_equal(ours, theirs):
            return f"has {what} of {shown(ours)}, not {shown(theirs)}"
    return ""


def _group(spec: EnvironmentSpec, name: str) -> str:
    group = spec.observation.get(name)
    return f"{group.dtype} {tuple(group.shape)}" if group else "nothing"
