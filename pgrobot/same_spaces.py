"""Whether two environments have the same spaces, so that what was trained in one can act in the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from pgrobot.errors import shown
from pgrobot.types import ROW, EnvironmentSpec, ObservationPart


def first_difference(one: EnvironmentSpec, other: EnvironmentSpec) -> str:
    """Where the shapes and types of observations, or the number, choices, bounds and form of actions, are not the same.

    What a spec does not tell, as those of older versions the parts of an observation, is not compared.

    Returns:
        What the one has and the other has instead, ``observes 3 numbers … , not …``; empty where they agree.
    """
    for name in dict.fromkeys([*other.observation, *one.observation]):
        ours, theirs = _group(one, name), _group(other, name)
        if ours != theirs:
            return f"observes {ours} as {name!r}, not {theirs}"
    if one.parts and other.parts:
        shown_parts = zip(*(sorted(map(_part, spec.parts)) for spec in (one, other)), strict=False)
        for mine, wanted in shown_parts:
            if mine != wanted:
                return f"observes {mine}, not {wanted}"
    forms = one.action_form, other.action_form
    form, wanted_form = (ROW, ROW) if ROW in forms else forms
    compared: dict[str, tuple[Any, Any]] = {
        "a number of actions": (len(one.actions), len(other.actions)),
        "choices of actions": ([a.choices for a in one.actions], [a.choices for a in other.actions]),
        "offsets and scales of actions": (
            [list(a.mapped) for a in one.actions],
            [list(a.mapped) for a in other.actions],
        ),
        "least actions": (one.action_low.tolist(), other.action_low.tolist()),
        "greatest actions": (one.action_high.tolist(), other.action_high.tolist()),
        "least choices": (form.start, wanted_form.start),
        "a shape of actions": (form.shape, wanted_form.shape),
    }
    for what, (ours, theirs) in compared.items():
        if not np.array_equal(ours, theirs):
            return f"has {what} of {shown(ours)}, not {shown(theirs)}"
    return ""


def _group(spec: EnvironmentSpec, name: str) -> str:
    group = spec.observation.get(name)
    return f"{group.dtype} {tuple(group.shape)}" if group else "nothing"


def _part(part: ObservationPart) -> str:
    where = "/".join(map(str, part.path)) or "all"
    if not part.choices:
        return f"{where} as numbers {tuple(part.shape)}"
    return f"{where} as choices among {list(part.choices)} from {list(part.start)}"
